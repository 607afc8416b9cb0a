"""What an inbox keeps: a verified request; its parts, one by one; and what was given up."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Any

import msgspec


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is to be kept: verified, and JSON."""

    identity: bytes | None
    """20 bytes, the same whenever the sender repeats itself; None where it can't be known, which
    is so for pings that nobody signs."""
    message_id: bytes
    """The sender's own name for it: a callback's nonce, a message's `webhook-id`; or empty."""
    received_at: datetime
    body: bytes
    stale: bool = False
    """Too old to be told from a repetition: kept, but given up at once."""


class ItemKind(IntEnum):
    """Which hook an item is for."""

    EVENT = 1
    PING = 2
    STATUS_CHANGE = 3
    UNKNOWN = 4


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a notification that one handler is called for; as a row of an inbox.

    `place` counts within the notification; items of one `object_key` are handled in order.
    """

    number: int
    notification: int
    kind: ItemKind
    place: int
    object_key: bytes
    tries: int
    """How often it was tried so far."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """An item that is not a row yet."""

    kind: ItemKind
    place: int
    object_key: bytes
    dead: str | None = None
    """Why it is given up before it was tried."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A notification as an inbox has it."""

    number: int
    identity: bytes | None
    message_id: bytes
    received_at: datetime
    body: bytes
    stale: bool


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was given up. It stays until it is run again, or dropped."""

    number: int
    """By which it is run again or dropped."""
    event: ReceivedEvent
    tries: int
    dead_at: datetime
    error: str
    """The last failure, as it was raised: it may quote what the event holds."""


class ReceivedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event, ping or status change, as a handler gets it.

    What the sender left out is None. Ids are numbers in callbacks and text elsewhere, and what a
    sender made of another type is None here: `raw` has all of it as it came.
    """

    kind: ItemKind
    object_type: str
    event_type: str
    id: int | str | None = None
    row_id: int | str | None = None
    column_id: int | str | None = None
    user_id: int | str | None = None
    timestamp: str | None = None
    change_agent: str | None = None
    webhook_id: int | str | None = None
    scope: str | None = None
    scope_object_id: int | str | None = None
    new_webhook_status: str | None = None
    message_id: str
    """The callback's nonce or the message's `webhook-id`."""
    event_id: str
    """The same on every try, and no other event's."""
    received_at: datetime
    tries: int
    """How often a handler was called for it before."""
    raw: Any
    """The event as it came: for a ping, a status change or an unknown message the whole body."""
    envelope: Any
    """The body around the event, without `events`."""
