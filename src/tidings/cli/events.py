"""`tidings events`: what a webhook covers, read from the log (contract 1.5, 3.3)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated

import typer

from tidings.cli.connection import connect
from tidings.cli.options import SERVER, Json, with_settings
from tidings.cli.output import note, print_line, print_table
from tidings.client import Client, Event, EventsPage
from tidings.config import Settings
from tidings.domain import limits

events = typer.Typer(
    no_args_is_help=True, help="List the events of a webhook, or follow them as they come."
)

WebhookId = Annotated[str, typer.Argument(help="The webhook's id (`tidings webhooks list`).")]
PageToken = Annotated[
    str | None,
    typer.Option(help="Go on after this token; without it, from the webhook's beginning."),
]


@events.command("list")
@with_settings(*SERVER)
def list_events(
    settings: Settings,
    webhook_id: WebhookId,
    page_token: PageToken = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many events.")] = 50,
    json: Json = False,
) -> None:
    """List events, oldest first; where to go on is said on standard error.

    With --json each event is a line of its own, as the server printed it.

        $ tidings events list 3c8a1835-a39a-43ba-ba9c-6fbce5581e34 --limit 1000 --json
    """
    with connect(settings) as client:
        shown = 0
        rows: list[tuple[str, ...]] = []
        token = page_token
        while shown < limit:
            page = client.list_events(
                webhook_id, page_token=token, page_size=min(limit - shown, limits.PAGE_SIZE_MAX)
            )
            _warn(page)
            token = page.next_page_token
            shown += len(page.events)
            if json:
                _print_texts(page)
            rows += [_row(event) for event in page.events]
            if not page.has_more:
                break
    if not json:
        print_table(("POSITION", "AT", "KIND", "APPLICATION", "SUBJECT", "PREVIOUS"), rows)
    note(f"{shown} {'event' if shown == 1 else 'events'}; go on with --page-token {token}")


@events.command()
@with_settings(*SERVER)
def follow(
    settings: Settings,
    webhook_id: WebhookId,
    page_token: PageToken = None,
    json: Json = False,
) -> None:
    """Print events as they come, until Ctrl-C; then it says where to go on.

    Without --page-token it begins with what is there already.

        $ tidings events follow 3c8a1835-a39a-43ba-ba9c-6fbce5581e34
    """
    token = page_token
    with connect(settings) as client, contextlib.suppress(KeyboardInterrupt):
        for page in _pages(client, webhook_id, page_token):
            _warn(page)
            if json:
                _print_texts(page)
            else:
                for event in page.events:
                    print_line("  ".join(_row(event)))
            token = page.next_page_token
    if token is not None:
        note(f"go on with --page-token {token}")


def _pages(client: Client, webhook_id: str, token: str | None) -> Iterator[EventsPage]:
    """Yield pages for ever; the server answers as soon as there is an event."""
    while True:
        page = client.list_events(
            webhook_id,
            page_token=token,
            page_size=limits.PAGE_SIZE_MAX,
            wait_seconds=limits.WAIT_SECONDS_MAX,
        )
        yield page
        token = page.next_page_token


def _warn(page: EventsPage) -> None:
    if page.events_expired:
        note("Events before these were dropped: they are older than the log is kept.")


def _print_texts(page: EventsPage) -> None:
    for text in page.texts:
        print_line(text)


def _row(event: Event) -> tuple[str, ...]:
    record, field = event.record_event_data, event.field_event_data
    application, subject, previous = "", "", ""
    if record is not None:
        application = record.locator.application_id or ""
        subject = record.record_id
        previous = ", ".join(record.previous)
    elif field is not None:
        subject = field.field_id
    cells = (str(event.position), event.event_at, event.kind, application, subject, previous)
    return tuple("".join(c if c.isprintable() else "?" for c in cell) for cell in cells)
