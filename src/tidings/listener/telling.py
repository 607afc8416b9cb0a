"""How a delivery is told: lines for people, or one JSON object a line. Pure.

What was sent may hold anything: nothing of it is markup, and control characters don't get through.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import msgspec
from rich.text import Text

from tidings.client.messages import Event
from tidings.domain import limits
from tidings.domain.instants import format_instant
from tidings.listener.delivery import Delivery, PassedOn, What
from tidings.receiver.notification import ReceivedEvent

_INDENT = "           "
_STYLES = {
    What.CALLBACK: "bold green",
    What.PING: "bold cyan",
    What.STATUS_CHANGE: "bold yellow",
    What.CHALLENGE: "bold magenta",
    What.MESSAGE: "bold",
    What.REFUSED: "bold red",
}


class _Line(msgspec.Struct, omit_defaults=True):
    """A delivery as `--json` prints it."""

    at: str
    what: str
    answered: int | None = None
    why: str = ""
    id: str = ""
    repeated: bool = False
    passed_on: PassedOn | None = None
    body: msgspec.Raw | None = None


def json_line(delivery: Delivery) -> bytes:
    """Return a delivery as one line of JSON, its body as it came but for white space."""
    body = msgspec.json.format(delivery.body, indent=-1) if delivery.body else None
    return msgspec.json.encode(
        _Line(
            at=format_instant(delivery.at),
            what=delivery.what,
            answered=delivery.status,
            why=delivery.why,
            id=delivery.message_id,
            repeated=delivery.repeated,
            passed_on=delivery.passed_on,
            body=msgspec.Raw(body) if body is not None else None,
        )
    )


def lines_of(delivery: Delivery) -> Iterator[Text]:
    """Yield the lines that tell of a delivery: what it is, its events, what came of it."""
    head = Text(f"{delivery.at:%H:%M:%S}Z  ", style="dim")
    head.append(delivery.what, style=_STYLES[delivery.what])
    if subject := _subject(delivery):
        head.append(f"  {subject}", style="default")
    if delivery.repeated:
        head.append("  again", style="yellow")
    if delivery.status is not None:
        head.append(f"  → {delivery.status}", style=_colour(delivery.status == HTTPStatus.OK))
    if delivery.why:
        head.append(f"  {shown(delivery.why)}", style="red")
    yield head
    if delivery.what is What.CALLBACK:
        for event in delivery.events:
            yield _event_line(event)
    if delivery.passed_on is not None:
        yield _passed_line(delivery.passed_on, delivery.what)


def event_line(event: Event) -> Text:
    """Return a listed event as a line: when, what, of what, and what was changed."""
    line = Text(f"{shown(event.event_at)}  ", style="dim")
    line.append(shown(event.kind), style="bold green")
    record, field = event.record_event_data, event.field_event_data
    application = event.application_event_data
    if record is not None:
        line.append(f"  {shown(record.locator.application_id)} {shown(record.record_id)}")
        changed = ", ".join(
            f"{name}: {_json(old)} → {_json(record.data.get(name))}"
            for name, old in record.previous.items()
        )
        line.append(f"  {shown(changed)}" if changed else "")
    elif field is not None:
        line.append(f"  {shown(field.locator.application_id)} field {shown(field.field_id)}")
    elif application is not None:
        line.append(f"  {shown(application.locator.application_id)}")
    return line


def shown(value: object) -> str:
    """Return a value of a sender's as it may be printed: on one line, bounded, harmless."""
    text = "-" if value is None else str(value)
    if len(text) > limits.SHOWN_LENGTH:
        text = text[: limits.SHOWN_LENGTH - 1] + "…"
    return "".join(character if character.isprintable() else "?" for character in text)


def _subject(delivery: Delivery) -> str:
    if delivery.what is What.MESSAGE:
        return shown(delivery.body.decode())
    first = delivery.events[0] if delivery.events else None
    if first is None:
        return "no event" if delivery.what is What.CALLBACK else ""
    webhook = f"webhook {shown(first.webhook_id)}"
    if delivery.what is What.PING:
        return webhook + _told_by_ping(first.raw)
    if delivery.what is What.STATUS_CHANGE:
        return f"{webhook} is {shown(first.new_webhook_status)}"
    count = len(delivery.events)
    events = f"{count:,} event{'' if count == 1 else 's'}"
    return f"{webhook}, {shown(first.scope)} {shown(first.scope_object_id)}, {events}"


def _told_by_ping(body: Any) -> str:
    locator = body.get("locator")
    where = locator if isinstance(locator, dict) else {}
    words = {"solution": where.get("solutionId"), "application": where.get("applicationId")}
    named = "".join(f", {word} {shown(value)}" for word, value in words.items() if value)
    if "notice" in body:
        return f"{named}, {shown(body['notice'])} {shown(body.get('expiresAt'))}"
    return f"{named}, up to {shown(body.get('transactionNumber'))}"


def _event_line(event: ReceivedEvent) -> Text:
    words = f"{shown(event.object_type or '?')} {shown(event.event_type or '?')}"
    line = Text(f"{_INDENT}{words:<24}")
    named = {"": event.id, "row": event.row_id, "column": event.column_id}
    line.append(
        ", ".join(f"{word} {shown(value)}".strip() for word, value in named.items() if value)
    )
    made_by = {"by": event.user_id, "through": event.change_agent, "at": event.timestamp}
    for word, value in made_by.items():
        if value is not None:
            line.append(f"  {word} {shown(value)}", style="dim")
    return line


def _passed_line(passed_on: PassedOn, what: What) -> Text:
    line = Text(f"{_INDENT}passed on to {passed_on.url}: ")
    taken = passed_on.acknowledges(what)
    if passed_on.status is None:
        said = shown(passed_on.failure)
    else:
        said = f"{passed_on.status} in {passed_on.seconds:g} s"
        if passed_on.challenge_failure is not None:
            said += f": {shown(passed_on.challenge_failure)}"
        elif not taken:
            said += ", which acknowledges nothing"
    return line.append(said, style=_colour(taken))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _colour(well: bool) -> str:
    return "green" if well else "red"
