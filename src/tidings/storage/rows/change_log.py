"""Entries of the change log as rows, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tidings.domain.filter import covered_fields, fields_match
from tidings.domain.lifecycle import Stage
from tidings.domain.log_entry import (
    Append,
    CallbackEntries,
    CallbackEntry,
    CallbackQuery,
    Header,
    NewEntry,
    Receipt,
    Standing,
)

Value = int | str | bytes | None
Scope = tuple[int, str, str, str]
"""What an idempotency key holds for: bucket, account, solution, and the key itself."""

_CHANGED = msgspec.json.Decoder(tuple[str, ...])


def entry_rows(
    bucket: int, first: int, account: str, solution: str, entries: Sequence[NewEntry]
) -> list[tuple[Value, ...]]:
    """Return the rows of entries that lie side by side from `first` on."""
    return [
        (
            bucket,
            position,
            account,
            solution,
            entry.application,
            entry.kind,
            entry.mask,
            entry.subject,
            None if entry.changed is None else msgspec.json.encode(entry.changed).decode(),
            entry.by,
            entry.change_agent,
            entry.body,
        )
        for position, entry in enumerate(entries, start=first)
    ]


def headers(
    bucket: int, first: int, account: str, solution: str, entries: Sequence[NewEntry]
) -> tuple[Header, ...]:
    """Return what a dispatcher must know of them."""
    return tuple(
        Header(
            bucket=bucket,
            position=position,
            account=account,
            solution=solution,
            kind=entry.kind,
            application=entry.application,
            subject=entry.subject,
            changed=entry.changed,
        )
        for position, entry in enumerate(entries, start=first)
    )


def passes(watched: frozenset[str], changed: str | None) -> bool:
    """Decide on the exact fields what the mask let through."""
    if not watched or changed is None:
        return True
    return fields_match(watched, _CHANGED.decode(changed))


def read_standing(rows: Sequence[Sequence[Any]]) -> Standing | None:
    """Return how a page's webhook stood: its stage and a revision's place a row; None: gone."""
    return Standing(Stage(rows[0][0]), tuple(row[1] for row in rows)) if rows else None


def read_header(row: Sequence[Any]) -> Header:
    """Return the header of a row of `read_tail`."""
    bucket, position, account, solution, kind, application, subject, changed = row
    return Header(
        bucket=bucket,
        position=position,
        account=account,
        solution=solution,
        kind=kind,
        application=application,
        subject=subject,
        changed=None if changed is None else _CHANGED.decode(changed),
    )


def read_callback(
    rows: Iterable[Sequence[Any]], query: CallbackQuery, *, floor: int, until: int, max_bytes: int
) -> CallbackEntries:
    """Return what is covered of the rows of `scan_callback`, up to the limits of rows and bytes."""
    watched = covered_fields(query.revision.filter)
    entries: list[CallbackEntry] = []
    size = 0
    for number, row in enumerate(rows, start=1):
        position, kind, subject, changed, by, change_agent, body = row
        if passes(watched, changed):
            entries.append(
                CallbackEntry(
                    position=position,
                    kind=kind,
                    subject=subject,
                    changed=None if changed is None else _CHANGED.decode(changed),
                    by=by,
                    change_agent=change_agent,
                    body=body,
                )
            )
            size += len(body)
        if size >= max_bytes or number == query.limit:
            until = position
            break
    return CallbackEntries(entries=tuple(entries), end=until, floor=floor)


def scope_of(append: Append) -> Scope:
    """Return what an append's idempotency key holds for."""
    return (append.bucket, append.account, append.solution, append.key)


def receipt_of(append: Append, first: int | None, last: int | None) -> Receipt:
    """Return what an append is answered that was given these positions, or none."""
    return Receipt(
        accepted=len(append.entries),
        suppressed=append.suppressed,
        batch_id=append.batch_id,
        first_position=first,
        last_position=last,
    )


def key_row(append: Append, kept_at_ms: int, receipt: Receipt) -> tuple[Value, ...]:
    """Return the row that keeps an append's answer under its key."""
    return (
        *scope_of(append),
        kept_at_ms,
        append.body_hash,
        receipt.accepted,
        receipt.suppressed,
        receipt.batch_id,
        receipt.first_position,
        receipt.last_position,
    )


def read_receipt(columns: Sequence[Any]) -> Receipt:
    """Return the answer of the columns that stand last in a key's row."""
    accepted, suppressed, batch_id, first, last = columns
    return Receipt(
        accepted=accepted,
        suppressed=suppressed,
        batch_id=batch_id,
        first_position=first,
        last_position=last,
    )
