"""What a server answers, typed. Unknown fields are ignored, so a newer server does no harm."""

from __future__ import annotations

from typing import Any

import msgspec


class Locator(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Where something is: account, solution, and of a record its application."""

    account_id: str
    solution_id: str
    application_id: str | None = None


class Stamp(msgspec.Struct, frozen=True):
    """Who did it, by the API key's name, and when (ISO 8601)."""

    by: str
    at: str


class Webhook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A webhook as the contract prints it (contract 1.3)."""

    webhook_id: str
    locator: Locator
    filter: dict[str, Any]
    kinds: tuple[str | int, ...]
    created_at: Stamp | None = None
    updated_at: Stamp | None = None
    notification_status: dict[str, Any] = {}
    system_status: dict[str, Any] = {}
    signing_secret: str | None = None
    """Only in the answer to its creation."""


class SecretRotation(msgspec.Struct, frozen=True, kw_only=True):
    """A new signing secret, and until when the one before signs too (contract 1.4)."""

    signing_secret: str
    previous_expires_at: str


class WebhooksPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some webhooks, and the token of the next page, None on the last."""

    webhooks: tuple[Webhook, ...] = ()
    next_page_token: str | None = None


class RecordEventData(msgspec.Struct, frozen=True, kw_only=True):
    """The record after the change, and the prior values of the fields that changed."""

    record_id: str
    locator: Locator
    data: dict[str, Any] = {}
    previous: dict[str, Any] = {}


class ApplicationEventData(msgspec.Struct, frozen=True, kw_only=True):
    """An application after the change, and what changed of it before."""

    locator: Locator
    data: dict[str, Any] = {}
    previous: dict[str, Any] = {}


class FieldEventData(msgspec.Struct, frozen=True, kw_only=True):
    """A field after the change, and what changed of it before."""

    field_id: str
    locator: Locator
    data: dict[str, Any] = {}
    previous: dict[str, Any] = {}


class Context(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """With which batch and from where a change came."""

    change_id: str = ""
    change_size: int = 0
    batch_id: str = ""
    batch_size: int = 0
    source: str = ""
    handler: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A change as one webhook sees it; `event_id` is `<webhook_id>.<position>`.

    Of a kind that this version doesn't know there are `kind`, ids and times, and the page's text.
    """

    webhook_id: str
    event_id: str
    kind: str
    event_at: str
    locator: Locator
    record_event_data: RecordEventData | None = None
    application_event_data: ApplicationEventData | None = None
    field_event_data: FieldEventData | None = None
    ctx: Context = Context()

    @property
    def position(self) -> int:
        """The change's place in the log; it grows from event to event."""
        return int(self.event_id.rpartition(".")[2])


class EventsPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events. An empty one means: nothing more now (contract 1.5)."""

    events: tuple[Event, ...] = ()
    next_page_token: str
    has_more: bool = False
    events_expired: bool = False
    body: bytes = b'{"events":[]}'
    """The answer as it came."""

    @property
    def texts(self) -> tuple[bytes, ...]:
        """Each event's JSON as the server printed it: big numbers and key order are kept."""
        raw = msgspec.json.decode(self.body, type=_EventTexts).events
        return tuple([bytes(text) for text in raw])


class _EventTexts(msgspec.Struct):
    events: list[msgspec.Raw] = []


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change to publish; what is None isn't said. What each field means: contract 3.2."""

    kind: str
    application_id: str
    record_id: str | None = None
    field_id: str | None = None
    data: Any = None
    before: Any = None
    previous: Any = None
    changed_fields: tuple[str, ...] | None = None
    change_id: str | None = None
    at: str | None = None
    by: str | None = None
    change_agent: str | None = None


class PublishReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What one publish came to; positions are None where nothing was appended (contract 3.2)."""

    accepted: int
    suppressed: int
    batch_id: str
    first_position: int | None = None
    last_position: int | None = None


class LinesReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream of lines came to (contract 3.2); `lines` counts those durably taken."""

    accepted: int = 0
    suppressed: int = 0
    lines: int = 0
    first_position: int | None = None
    last_position: int | None = None
    refused_line: int | None = None
    """The line that is wrong, counted from 1; None where all were taken."""
    refusal: str | None = None
    """What is wrong with it."""


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """An application as it is registered."""

    solution_id: str
    application_id: str
    name: str | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`ok`, `ready`, or why the server can't work now."""

    status: str
    reasons: tuple[str, ...] = ()
