"""A change as it is published, and what becomes of it: refused, suppressed or valid.

The contract's part 3.2, field by field. A change's `data`, `before` and `previous` stay the
publisher's bytes; whatever is decoded is decoded to judge it.
"""

from __future__ import annotations

import re

import msgspec

from tidings.domain.difference import UNTOLD, fields_of, what_changed
from tidings.domain.instants import format_instant, parse_instant
from tidings.domain.kinds import (
    APPLICATION_KINDS,
    DELETED_KINDS,
    FIELD_KINDS,
    RECORD_KINDS,
    UPDATED_KINDS,
    Kind,
)
from tidings.domain.limits import CHANGE_AGENT_LENGTH, CHANGED_FIELDS, ID_LENGTH, NAME_LENGTH
from tidings.errors import InvalidArgument

_ABSENT = msgspec.Raw(b"")
_NULL = msgspec.Raw(b"null")
_NO_DATA = msgspec.Raw(b"{}")
_KIND_NAMES = {kind.name: kind for kind in Kind}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SMALLEST_FIELD_BYTES = 5
"""`"":0,`: what is shorter than CHANGED_FIELDS of these has fewer fields, and isn't counted."""


class SentChange(msgspec.Struct, frozen=True, gc=False):
    """One change as sent; null means absent, unknown members are ignored."""

    kind: str
    application_id: str
    record_id: str | None = None
    field_id: str | None = None
    change_id: str | None = None
    batch_id: str | None = None
    """Heeded in NDJSON only; in a JSON publish the batch is the request."""
    at: str | None = None
    by: str | None = None
    change_agent: str | None = None
    data: msgspec.Raw = _ABSENT
    before: msgspec.Raw = _ABSENT
    previous: msgspec.Raw = _ABSENT
    changed_fields: list[str] | None = None


class Change(msgspec.Struct, frozen=True, gc=False):
    """A change that is valid and isn't proved to change nothing."""

    kind: Kind
    application: str
    subject: str
    """The record's or field's id; empty for a change of the application itself."""
    change_id: str | None
    event_at: str
    data: msgspec.Raw
    previous: bytes
    changed: tuple[str, ...] | None
    """What field filters go by: None where each passes it (contract 1.3, field filter)."""
    by: str | None
    change_agent: str | None


def judge(sent: SentChange, now: str) -> Change | None:
    """Return the change, or None where it is proved to change nothing (mechanics L5).

    `now` is its `event_at` where it carries none. Raises InvalidArgument, naming the member.
    """
    kind = _KIND_NAMES.get(sent.kind)
    if kind is None:
        raise InvalidArgument("kind", f"kind must be one of {', '.join(_KIND_NAMES)}")
    check_id("application_id", sent.application_id)
    if sent.change_id is not None:
        check_id("change_id", sent.change_id)
    if sent.by is not None:
        check_name("by", sent.by)
    subject = _subject(kind, sent)
    data, before, previous = _objects(kind, sent)
    difference = UNTOLD
    if kind in UPDATED_KINDS:
        difference = what_changed(data, before, previous, sent.changed_fields)
        if difference.proved_none:
            return None
    agent = sent.change_agent
    return Change(
        kind,
        sent.application_id,
        subject,
        sent.change_id,
        now if sent.at is None else _event_at(sent.at),
        data,
        difference.previous,
        difference.changed if kind in RECORD_KINDS else _metadata_changed(kind, subject),
        sent.by,
        None if agent is None else agent[-CHANGE_AGENT_LENGTH:],
    )


def check_id(argument: str, value: str) -> None:
    """Raise InvalidArgument unless `value` can be a platform's id.

    Any text of 1 to ID_LENGTH characters without control characters: they have no business in an
    id, and NUL none in a database's key.
    """
    if 0 < len(value) <= ID_LENGTH and value.isprintable():
        return  # as nearly all are; a change has two or three of them
    if not value:
        raise InvalidArgument(argument, f"{argument} must not be empty")
    check_name(argument, value, ID_LENGTH)


def check_name(argument: str, value: str, max_length: int = NAME_LENGTH) -> None:
    """Raise InvalidArgument for text that is too long or holds control characters."""
    if len(value) > max_length:
        raise InvalidArgument(argument, f"{argument} is longer than {max_length} characters")
    if not value.isprintable() and _CONTROL.search(value):
        raise InvalidArgument(argument, f"{argument} must not hold control characters")


def _subject(kind: Kind, sent: SentChange) -> str:
    """Return the id of what changed: the record's, the field's, or none (contract 3.2)."""
    if kind in APPLICATION_KINDS:
        return ""
    argument = "field_id" if kind in FIELD_KINDS else "record_id"
    subject = sent.field_id if kind in FIELD_KINDS else sent.record_id
    if subject is None:
        raise InvalidArgument(argument, f"{argument} is required for {kind.name}")
    check_id(argument, subject)
    return subject


def _objects(
    kind: Kind, sent: SentChange
) -> tuple[msgspec.Raw, msgspec.Raw | None, msgspec.Raw | None]:
    """Return data, before and previous, the latter two as None where they weren't given.

    Where something was deleted, `before` stands in for `data`, and where both are missing nothing
    is known of it: contract 3.2 says so of records, and we of applications and fields too.
    """
    data = _object("data", sent.data)
    before = _object("before", sent.before)
    previous = _object("previous", sent.previous)
    if before is not None and previous is not None:
        raise InvalidArgument("previous", "give before or previous, not both")
    if sent.changed_fields is not None and len(sent.changed_fields) > CHANGED_FIELDS:
        raise InvalidArgument(
            "changed_fields", f"changed_fields has more than {CHANGED_FIELDS} names"
        )
    if data is None:
        if kind not in DELETED_KINDS:
            raise InvalidArgument("data", f"data is required for {kind.name}")
        data = _NO_DATA if before is None else before
    return data, before, previous


def _object(argument: str, raw: msgspec.Raw) -> msgspec.Raw | None:
    if raw is _ABSENT or raw == _NULL:
        return None
    if not bytes(raw).startswith(b"{"):
        raise InvalidArgument(argument, f"{argument} must be an object")
    if len(raw) > CHANGED_FIELDS * _SMALLEST_FIELD_BYTES:
        fields_of(argument, raw)
    return raw


def _event_at(text: str) -> str:
    try:
        return format_instant(parse_instant(text))
    except ValueError as error:
        raise InvalidArgument(
            "at", "at must be an ISO 8601 time with its offset, such as 2023-06-21T21:14:06.263Z"
        ) from error


def _metadata_changed(kind: Kind, subject: str) -> tuple[str, ...] | None:
    """A change of a field passes the filters that watch it; one of the application, all."""
    return (subject,) if kind in FIELD_KINDS else None
