"""Events as bytes: the part that is stored once, and the head that each webhook sees.

What a publisher sent in `data`, and each value of `previous`, is spliced in as it came: big
numbers, key order, escapes and spaces stay as they were (contract 1.3).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from tidings.domain.change import Change
from tidings.domain.filter import EVERY_FIELD, field_mask
from tidings.domain.kinds import APPLICATION_KINDS, RECORD_KINDS, Kind
from tidings.domain.log_entry import NewEntry, PageEntry

DEFAULT_SOURCE = "UNKNOWN"
DEFAULT_HANDLER = "API"
SEED_BYTES = 32
"""Bytes of entropy that made ids grow from: one look at the kernel's dice, not many."""

_quoted = msgspec.json.Encoder().encode
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What the events of one batch have in common."""

    account: str
    solution: str
    batch_id: str
    source: str = DEFAULT_SOURCE
    handler: str = DEFAULT_HANDLER


def splice_event(prefix: bytes, entry: PageEntry) -> bytes:
    """Return an event's JSON of a webhook's prefix and a stored entry.

    `prefix` ends inside the event's id: `{"webhook_id":"W","locator":{…},"event_id":"W.`.
    """
    return b'%b%d"%b' % (prefix, entry.position, entry.body)


def made_ids(seed: bytes, count: int) -> Iterator[str]:
    """Return `count` random UUIDs (version 4) that only who knows the `seed` can guess."""
    digits = hashlib.shake_256(seed).hexdigest(16 * count)
    # As `uuid.UUID` would print them, at a fifth of its cost.
    return (
        f"{digits[at : at + 8]}-{digits[at + 8 : at + 12]}-4{digits[at + 13 : at + 16]}-"
        f"{_VARIANTS[digits[at + 16]]}{digits[at + 17 : at + 20]}-{digits[at + 20 : at + 32]}"
        for at in range(0, len(digits), 32)
    )


def batch_entries(batch: Batch, changes: Sequence[Change], made: Iterator[str]) -> list[NewEntry]:
    """Return the log's entries for the accepted changes of one batch, in order.

    A change without an id takes the next one that was `made`. `change_size` counts the batch's
    accepted changes with the same change_id, `batch_size` all of them.
    """
    locator_start = b'{"account_id":%b,"solution_id":%b,"application_id":' % (
        _quoted(batch.account),
        _quoted(batch.solution),
    )
    ctx_end = b',"batch_id":%b,"batch_size":%d,"source":%b,"handler":%b}}' % (
        _quoted(batch.batch_id),
        len(changes),
        _quoted(batch.source),
        _quoted(batch.handler),
    )
    change_ids = [change.change_id for change in changes if change.change_id is not None]
    sizes = Counter(change_ids) if change_ids else {}
    entries = []
    for change in changes:
        change_id = change.change_id
        if change_id is None:
            ctx = b',"ctx":{"change_id":"%b","change_size":1' % next(made).encode()
        else:
            size = sizes[change_id]
            ctx = b',"ctx":{"change_id":%b,"change_size":%d' % (_quoted(change_id), size)
        locator = b"%b%b}" % (locator_start, _quoted(change.application))
        entries.append(_entry(change, b"".join((*_subject_data(change, locator), ctx, ctx_end))))
    return entries


def _entry(change: Change, body: bytes) -> NewEntry:
    changed = change.changed
    return NewEntry(
        kind=change.kind,
        application=change.application,
        subject=change.subject,
        mask=EVERY_FIELD if changed is None else field_mask(changed),
        changed=changed,
        body=body,
        by=change.by,
        change_agent=change.change_agent,
    )


def _subject_data(change: Change, locator: bytes) -> tuple[bytes | msgspec.Raw, ...]:
    """Return the body's pieces from the kind to the end of the data's object."""
    return (
        _HEADS[change.kind],
        change.event_at.encode(),
        _DATA_STARTS[change.kind],
        b"" if change.kind in APPLICATION_KINDS else _quoted(change.subject) + b",",
        b'"locator":',
        locator,
        b',"data":',
        change.data,
        b',"previous":',
        change.previous,
        b"}",
    )


def _data_start(kind: Kind) -> bytes:
    if kind in RECORD_KINDS:
        return b'","record_event_data":{"record_id":'
    if kind in APPLICATION_KINDS:
        return b'","application_event_data":{'
    return b'","field_event_data":{"field_id":'


_HEADS = {kind: b',"kind":"%b","event_at":"' % kind.name.encode() for kind in Kind}
_DATA_STARTS = {kind: _data_start(kind) for kind in Kind}
