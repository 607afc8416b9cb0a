"""`tidings webhooks`: a server's webhooks (contract 1.4, 3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from tidings.cli.connection import connect
from tidings.cli.options import SERVER, Json, with_settings
from tidings.cli.output import note, print_json, print_table
from tidings.client import Client, SheetWebhook, Webhook
from tidings.config import Settings
from tidings.domain.kinds import Kind
from tidings.errors import FailedPrecondition

webhooks = typer.Typer(
    no_args_is_help=True,
    help="Make, list, show, change and delete webhooks on a server.",
)

WebhookId = Annotated[str, typer.Argument(help="The webhook's id (`tidings webhooks list`).")]
_CALLBACKS_A_PAGE = 1_000

Number = Annotated[
    int, typer.Argument(metavar="NUMBER", min=1, help="The callback webhook's id, a number.")
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind", help=f"A kind of change; may be repeated. {', '.join(k.name for k in Kind)}."
    ),
]
Applications = Annotated[
    list[str] | None,
    typer.Option("--application", help="Cover only this application (table); may be repeated."),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        help="Of updates, cover only those of this field; may be repeated. "
        "Needs exactly one --application.",
    ),
]


@webhooks.command()
@with_settings(*SERVER)
def create(
    settings: Settings,
    solution: Annotated[str, typer.Option(help="The solution (base) to watch.")],
    kind: Kinds = None,
    application: Applications = None,
    field: Fields = None,
    endpoint: Annotated[
        str | None,
        typer.Option(help="Where to ping; without it events are collected, and nobody is told."),
    ] = None,
    start_at: Annotated[
        str | None, typer.Option(help="See what happened from then on (ISO 8601, with offset).")
    ] = None,
) -> None:
    """Make a webhook and print it; its signing secret is shown this once.

    Without --kind it covers records that are created, updated and deleted.

        $ tidings webhooks create --solution crm --endpoint https://example.com/hook
        $ tidings webhooks create --solution crm --application deals --field stage
    """
    with connect(settings) as client:
        webhook = client.create_webhook(
            solution,
            kind or [Kind.RECORD_CREATED.name, Kind.RECORD_UPDATED.name, Kind.RECORD_DELETED.name],
            filter=_filter(application, field),
            url=endpoint,
            start_at=start_at,
        )
    note(f"Made webhook {webhook.webhook_id}. Keep its signing_secret: it isn't shown again.")
    print_json(webhook)


@webhooks.command("list")
@with_settings(*SERVER)
def list_webhooks(
    settings: Settings,
    solution: Annotated[str | None, typer.Option(help="Only this solution's.")] = None,
    json: Json = False,
) -> None:
    """List the account's webhooks, oldest first.

    $ tidings webhooks list --solution crm --json
    """
    with connect(settings) as client:
        found = list(client.walk_webhooks(solution_id=solution))
    if json:
        print_json(found)
        return
    print_table(
        ("WEBHOOK ID", "SOLUTION", "COVERS", "PINGS"),
        [
            (hook.webhook_id, hook.locator.solution_id, _covers(hook), _pings(hook))
            for hook in found
        ],
    )


@webhooks.command()
@with_settings(*SERVER)
def show(settings: Settings, webhook_id: WebhookId, json: Json = False) -> None:
    """Show one webhook: what it covers, where it is pinged, how it stands.

    $ tidings webhooks show 3c8a1835-a39a-43ba-ba9c-6fbce5581e34
    """
    with connect(settings) as client:
        webhook = client.get_webhook(webhook_id)
    if json:
        print_json(webhook)
        return
    print_table(
        ("", ""),
        [
            ("webhook", webhook.webhook_id),
            ("solution", webhook.locator.solution_id),
            ("covers", _covers(webhook)),
            ("kinds", ", ".join(str(kind) for kind in webhook.kinds)),
            ("pings", _pings(webhook)),
            *_failure(webhook),
            *_expiry(webhook),
            *_stamps(webhook),
        ],
    )


@webhooks.command()
@with_settings(*SERVER)
def update(
    settings: Settings,
    webhook_id: WebhookId,
    kind: Kinds = None,
    application: Applications = None,
    field: Fields = None,
    whole_solution: Annotated[
        bool, typer.Option("--whole-solution", help="Cover every application again.")
    ] = False,
    endpoint: Annotated[str | None, typer.Option(help="Ping this URL from now on.")] = None,
    enable: Annotated[
        bool | None,
        typer.Option("--enable/--disable", help="Start or stop pings; events are kept either way."),
    ] = None,
) -> None:
    """Change what is named, keep the rest, and print the webhook.

    $ tidings webhooks update 3c8a1835-a39a-43ba-ba9c-6fbce5581e34 --disable
    """
    changes: dict[str, Any] = {}
    if kind:
        changes["kinds"] = kind
    if application or field or whole_solution:
        if whole_solution and (application or field):
            raise typer.BadParameter("--whole-solution goes with neither --application nor --field")
        changes["filter"] = _filter(application, field) or {"solution": {}}
    if endpoint is not None and enable is False:
        raise typer.BadParameter("--endpoint starts pings, --disable stops them: give one")
    if endpoint is not None or enable:
        changes["notification_status"] = {"enabled": {"url": endpoint} if endpoint else {}}
    elif enable is False:
        changes["notification_status"] = {"disabled": {}}
    if not changes:
        raise typer.BadParameter("say what to change; --help names what can be")
    with connect(settings) as client:
        print_json(client.update_webhook(webhook_id, changes))


@webhooks.command()
@with_settings(*SERVER)
def delete(settings: Settings, webhook_id: WebhookId) -> None:
    """Delete a webhook; what it had collected can't be listed any more.

    $ tidings webhooks delete 3c8a1835-a39a-43ba-ba9c-6fbce5581e34
    """
    with connect(settings) as client:
        client.delete_webhook(webhook_id)
    note(f"Deleted webhook {webhook_id}.")


@webhooks.command()
@with_settings(*SERVER)
def callbacks(settings: Settings, json: Json = False) -> None:
    """List the account's callback webhooks (`/2.0/webhooks`), newest first.

    $ tidings webhooks callbacks --json
    """
    with connect(settings) as client:
        found = list(_walk_callbacks(client))
    if json:
        print_json(found)
        return
    print_table(
        ("NUMBER", "NAME", "SHEET", "CALLBACK URL", "STATUS"),
        [
            (str(hook.id), hook.name, str(hook.scope_object_id), hook.callback_url, hook.status)
            for hook in found
        ],
    )


@webhooks.command()
@with_settings(*SERVER)
def disable(
    settings: Settings,
    number: Number,
    administrative: Annotated[
        bool, typer.Option("--administrative", help="Its owner can't enable it then.")
    ] = False,
) -> None:
    """Disable a callback webhook (`/2.0/webhooks`) for its owner; takes an admin's key.

    What happens meanwhile is collected, and sent once it is enabled again.

        $ tidings webhooks disable 4503604829677444 --administrative
    """
    if not administrative:
        raise typer.BadParameter(
            "say --administrative: an owner disables by PUT /2.0/webhooks/ID, "
            "or stops pings by `tidings webhooks update ID --disable`"
        )
    with connect(settings) as client:
        print_json(client.disable_administratively(number))


@webhooks.command()
@with_settings(*SERVER)
def enable(settings: Settings, number: Number) -> None:
    """Enable a callback webhook after its challenge, whoever disabled it; takes an admin's key.

    $ tidings webhooks enable 4503604829677444
    """
    with connect(settings) as client:
        webhook = client.enable_administratively(number)
    print_json(webhook)
    if not webhook.enabled:
        raise FailedPrecondition(f"It stands {webhook.status}: {webhook.disabled_details}.")


def _walk_callbacks(client: Client) -> Iterator[SheetWebhook]:
    number, last = 1, 1
    while number <= last:
        page = client.list_sheet_webhooks(page=number, page_size=_CALLBACKS_A_PAGE)
        yield from page.webhooks
        number, last = number + 1, page.total_pages


def _filter(applications: list[str] | None, fields: list[str] | None) -> dict[str, Any] | None:
    if fields:
        if applications is None or len(applications) != 1:
            raise typer.BadParameter("--field needs exactly one --application")
        return {"application": {"application_id": applications[0], "field_ids": fields}}
    if applications:
        return {"applications": {"application_ids": applications}}
    return None


def _covers(webhook: Webhook) -> str:
    wanted = webhook.filter
    if "application" in wanted:
        one = wanted["application"]
        fields = one.get("field_ids") or []
        return str(one.get("application_id")) + (f": {', '.join(fields)}" if fields else "")
    if "applications" in wanted:
        return ", ".join(wanted["applications"].get("application_ids", []))
    return "the whole solution"


def _pings(webhook: Webhook) -> str:
    status = webhook.notification_status
    if "enabled" in status:
        return str(status["enabled"].get("url"))
    reason = status.get("disabled", {}).get("reason")
    return f"off ({reason})" if reason else "off"


def _failure(webhook: Webhook) -> list[tuple[str, str]]:
    disabled = webhook.notification_status.get("disabled", {})
    if "last_error" not in disabled:
        return []
    return [("failed", f"{disabled.get('disabled_at')}: {disabled['last_error']}")]


def _expiry(webhook: Webhook) -> list[tuple[str, str]]:
    status = webhook.system_status
    if "expires_at" in (enabled := status.get("enabled", {})):
        return [("expires", f"{enabled['expires_at']}, unless its events are listed")]
    if "deletes_at" in (disabled := status.get("disabled", {})):
        return [("expired", f"deleted {disabled['deletes_at']}, unless its events are listed")]
    return []


def _stamps(webhook: Webhook) -> list[tuple[str, str]]:
    stamps = (("created", webhook.created_at), ("updated", webhook.updated_at))
    return [(word, f"{stamp.at} by {stamp.by}") for word, stamp in stamps if stamp is not None]
