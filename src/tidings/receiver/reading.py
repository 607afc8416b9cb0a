"""A kept body, taken apart: which events it holds, whose order they keep, what a handler gets.

Anything may be missing, of another type, or unknown; nothing of that is an error (contract 2.8).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from tidings.domain.limits import OBJECT_KEY_BYTES, RECEIVED_EVENTS
from tidings.receiver.notification import (
    Item,
    ItemKind,
    Kept,
    Notification,
    Part,
    ReceivedEvent,
)

_ANYTHING: Final = msgspec.json.Decoder()
_ROW_OF_CELL: Final = "cell"
_DIGITS: Final = 300
"""Of a number that is still read as one; Python itself refuses some thousands."""
_NONE: Final[Mapping[str, Any]] = {}
STALE: Final = "too old to be told from a repetition"
CROWDED: Final = f"more than {RECEIVED_EVENTS:,} events in one callback"


class Contents:
    """A notification's JSON, read once for all its items."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self._body = _decoded(kept.body)
        self._whole: Mapping[str, Any] = self._body if isinstance(self._body, dict) else _NONE
        self._events = self._found_events()
        self._envelope = {key: self._whole[key] for key in self._whole if key != "events"}

    def parts(self) -> Iterator[Part]:
        """Yield what handlers have to be called for, in order."""
        dead = STALE if self.kept.stale else None
        if len(self._events) > RECEIVED_EVENTS:
            dead, kind = CROWDED, ItemKind.UNKNOWN
        else:
            kind = self._kind()
        if kind is not ItemKind.EVENT:
            yield Part(kind=kind, place=-1, object_key=self._key_of(-1, kind), dead=dead)
            return
        for place in range(len(self._events)):
            yield Part(kind=kind, place=place, object_key=self._key_of(place, kind), dead=dead)

    def event(self, item: Item | Part, tries: int = 0) -> ReceivedEvent:
        """Return an item as its handler gets it."""
        raw = self._body if item.place < 0 else self._events[item.place]
        said: Mapping[str, Any] = raw if isinstance(raw, dict) else _NONE
        object_type, event_type = _types(item.kind, said)
        return ReceivedEvent(
            kind=item.kind,
            object_type=object_type,
            event_type=event_type,
            id=_id(said.get("id")),
            row_id=_id(said.get("rowId")),
            column_id=_id(said.get("columnId")),
            user_id=_id(said.get("userId")),
            timestamp=_string(said.get("timestamp")),
            change_agent=_string(said.get("changeAgent")),
            webhook_id=_id(self._whole.get("webhookId")),
            scope=_string(self._whole.get("scope")),
            scope_object_id=_id(self._whole.get("scopeObjectId")),
            new_webhook_status=_string(self._whole.get("newWebhookStatus")),
            message_id=self.kept.message_id.decode(errors="replace"),
            event_id=f"{self._identity()}.{max(item.place, 0)}",
            received_at=self.kept.received_at,
            tries=tries,
            raw=raw,
            envelope=self._envelope,
        )

    def _identity(self) -> str:
        kept = self.kept
        if kept.identity is not None:
            return kept.identity.hex()
        return f"{int(kept.received_at.timestamp() * 1000):x}-{kept.number:x}"

    def _kind(self) -> ItemKind:
        whole = self._whole
        if "newWebhookStatus" in whole and not self._events:
            return ItemKind.STATUS_CHANGE
        if isinstance(whole.get("events"), list) or self._events:
            return ItemKind.EVENT
        if isinstance(whole.get("webhookId"), str) and isinstance(whole.get("locator"), dict):
            return ItemKind.PING
        return ItemKind.UNKNOWN

    def _found_events(self) -> list[Any]:
        """Return a callback's events, or `{"type": "row.created", …}` as a message's only one."""
        events = self._whole.get("events")
        if isinstance(events, list):
            return events
        return [self._body] if isinstance(self._whole.get("type"), str) else []

    def _key_of(self, place: int, kind: ItemKind) -> bytes:
        """Return whose events keep their order: a cell's are its row's, within one sheet."""
        raw = self._body if place < 0 else self._events[place]
        said: Mapping[str, Any] = raw if isinstance(raw, dict) else _NONE
        if kind is not ItemKind.EVENT:
            return bounded(f"webhook:{_id(self._whole.get('webhookId'))}")
        object_type, _ = _types(kind, said)
        scope = _id(self._whole.get("scopeObjectId"))
        if object_type == _ROW_OF_CELL:
            return bounded(f"{scope}:row:{_id(said.get('rowId'))}")
        identity = _id(said.get("id"))
        data = said.get("data")
        if identity is None and isinstance(data, dict):
            identity = _id(data.get("id"))
        return bounded(f"{scope}:{object_type}:{identity}")


def contents_of(notification: Notification) -> Contents:
    """Return a notification's JSON before it is kept."""
    return Contents(
        Kept(
            number=0,
            identity=notification.identity,
            message_id=notification.message_id,
            received_at=notification.received_at,
            body=notification.body,
            stale=notification.stale,
        )
    )


def bounded(key: str) -> bytes:
    """Return an object's name, hashed where it is long."""
    name = key.encode(errors="replace")
    return name if len(name) <= OBJECT_KEY_BYTES else hashlib.sha256(name).digest()


def names_agent(change_agent: str | None, agents: frozenset[str]) -> bool:
    """Whether one of `agents` made a change: alone, or in a list by commas."""
    if change_agent is None or not agents:
        return False
    return change_agent in agents or any(
        agent.strip() in agents for agent in change_agent.split(",")
    )


def _decoded(body: bytes) -> Any:
    try:
        return _ANYTHING.decode(body)
    except msgspec.DecodeError:  # a number that nothing holds: it is left as text
        return json.loads(body, parse_int=_number)


def _number(digits: str) -> int | str:
    return int(digits) if len(digits) <= _DIGITS else digits


def _types(kind: ItemKind, said: Mapping[str, Any]) -> tuple[str, str]:
    if kind is not ItemKind.EVENT:
        return "", ""
    if isinstance(said.get("type"), str) and "objectType" not in said:
        object_type, _, event_type = said["type"].rpartition(".")
        return (object_type, event_type) if object_type else (event_type, "")
    return _string(said.get("objectType")) or "", _string(said.get("eventType")) or ""


def _id(value: object) -> int | str | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return value


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None
