"""The demo's changes as a sheet: numbers for the table, its tickers and its fields. Pure.

What a receiver of callbacks has to be told of is computed here from the source alone, by the
contract's words and none of the engine's code: it is what the demo is reconciled with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import NamedTuple

import msgspec

from tidings.demo.source import Record, Revision, SourceChange


class SheetNumbers(msgspec.Struct, frozen=True):
    """Which number stands for what; fixed (`data/README.md`)."""

    sheet: int
    columns: dict[str, int]
    """By field."""
    rows: dict[str, int]
    """By ticker."""


class Told(NamedTuple):
    """One event as a callback tells it; the column is None for one of a row."""

    object_type: str
    event_type: str
    row: int
    column: int | None = None


_EVENT_TYPES = {"create": "created", "update": "updated", "delete": "deleted"}


def load_numbers() -> SheetNumbers:
    """Return the demo's numbers."""
    data = (files(__package__) / "data" / "sp500_numbers.json").read_bytes()
    return msgspec.json.decode(data, type=SheetNumbers)


def as_sheet(revision: Revision, numbers: SheetNumbers) -> Revision:
    """Return a revision with numbers, as decimal strings, for tickers and fields."""

    def numbered(record: Record | None) -> Record | None:
        if record is None:
            return None
        return {str(numbers.columns[field]): value for field, value in record.items()}

    return Revision(
        revision.number,
        revision.identity,
        tuple(
            msgspec.structs.replace(
                change,
                key=str(numbers.rows[change.key]),
                after=numbered(change.after),
                before=numbered(change.before),
            )
            for change in revision.changes
        ),
    )


def implied(revisions: Iterable[Revision], numbers: SheetNumbers) -> Iterator[Told]:
    """Yield the events that revisions (of tickers and fields) imply, in order (contract 2.5)."""
    for revision in revisions:
        for change in revision.changes:
            yield from _implied_by(change, numbers)


def _implied_by(change: SourceChange, numbers: SheetNumbers) -> Iterator[Told]:
    before, after = change.before or {}, change.after or {}
    if change.op == "update" and before == after:
        return  # it changes nothing, and is suppressed
    happened, row = _EVENT_TYPES[change.op], numbers.rows[change.key]
    yield Told("row", happened, row)
    fields: list[str] = []
    if change.op == "create":
        fields = [field for field, value in after.items() if value]
    elif change.op == "update":
        known = dict.fromkeys((*after, *before))
        fields = [field for field in known if after.get(field) != before.get(field)]
    for field in fields:
        yield Told("cell", happened, row, numbers.columns[field])
