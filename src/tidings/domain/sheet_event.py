"""What a change is in a sheet: row, cell and column events without values (contract 2.5). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from tidings.domain.kinds import FIELD_KINDS, RECORD_KINDS, Kind
from tidings.domain.limits import CHANGE_AGENT_LENGTH
from tidings.domain.log_entry import CallbackEntry
from tidings.domain.sheet_webhook import sheet_number

_EVENT_AT: Final = b'"event_at":"'
_NO_VALUE: Final = (b"null", b'""')


class SheetEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One event of a callback, as it is sent."""

    object_type: str
    event_type: str
    id: int | None = None
    row_id: int | None = None
    column_id: int | None = None
    user_id: int | None = None
    timestamp: str
    change_agent: str | None = None


class _RecordData(msgspec.Struct, frozen=True):
    data: dict[str, msgspec.Raw]


class _Body(msgspec.Struct, frozen=True):
    record_event_data: _RecordData


_BODY: Final = msgspec.json.Decoder(_Body)


def events_of(entry: CallbackEntry, columns: frozenset[int]) -> list[SheetEvent]:
    """Return a change's events, the row before its cells; `columns` is the subscope, empty: all.

    A subject or field whose id is no number makes none, nor does an update that touches no column
    of the subscope, nor a change of the application itself.
    """
    subject = sheet_number(entry.subject)
    if subject is None:
        return []
    if entry.kind in RECORD_KINDS:
        return _row_events(entry, subject, columns)
    if entry.kind in FIELD_KINDS and (not columns or subject in columns):
        return [_event(entry, "column", _happened(entry.kind), of=subject)]
    return []


def _row_events(entry: CallbackEntry, row: int, columns: frozenset[int]) -> list[SheetEvent]:
    happened = _happened(entry.kind)
    cells = _cells(entry, columns)
    if entry.kind == Kind.RECORD_UPDATED and entry.changed is not None and columns and not cells:
        return []
    event = _event(entry, "row", happened, of=row)
    cell_events = (
        SheetEvent(
            object_type="cell",
            event_type=happened,
            row_id=row,
            column_id=cell,
            user_id=event.user_id,
            timestamp=event.timestamp,
            change_agent=event.change_agent,
        )
        for cell in cells
    )
    return [event, *cell_events]


def _cells(entry: CallbackEntry, columns: frozenset[int]) -> list[int]:
    """Return the columns whose cells a change is told of: those with a value in a new row, those
    that an update changed. Where nobody told which, all that the row has count as changed."""
    names: Iterable[str] = ()
    if entry.kind == Kind.RECORD_CREATED:
        fields = _fields(entry.body)
        names = (name for name, value in fields.items() if not _is_empty(bytes(value)))
    elif entry.kind == Kind.RECORD_UPDATED:
        names = _fields(entry.body) if entry.changed is None else entry.changed
    numbers = (sheet_number(name) for name in names)
    return [n for n in numbers if n is not None and (not columns or n in columns)]


def _event(entry: CallbackEntry, what: str, happened: str, *, of: int) -> SheetEvent:
    agent = entry.change_agent
    return SheetEvent(
        object_type=what,
        event_type=happened,
        id=of,
        user_id=None if entry.by is None else sheet_number(entry.by),
        timestamp=_timestamp(entry.body),
        change_agent=agent[-CHANGE_AGENT_LENGTH:] if agent else None,
    )


def _happened(kind: int) -> str:
    return Kind(kind).name.partition("_")[2].lower()


def _fields(body: bytes) -> dict[str, msgspec.Raw]:
    return _BODY.decode(b"{" + body[1:]).record_event_data.data


def _is_empty(value: bytes) -> bool:
    return value in _NO_VALUE or (value[:1] in (b"[", b"{") and not value[1:-1].strip())


def _timestamp(body: bytes) -> str:
    """Return the event's time, of which the log has whole milliseconds, as callbacks write it."""
    begins = body.index(_EVENT_AT) + len(_EVENT_AT)
    return body[begins : body.index(b"Z", begins)].decode() + "+0000"
