"""A group of appends inside one transaction: which are repeats, and all others at once."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from tidings.domain import limits
from tidings.domain.log_entry import Append, Receipt
from tidings.domain.positions import DAY_MS, PER_MILLISECOND
from tidings.errors import ClockAhead, IdempotencyKeyReused
from tidings.storage.postgres.queries import load_queries
from tidings.storage.postgres.transaction import LaneTransaction
from tidings.storage.rows.change_log import (
    Scope,
    Value,
    key_row,
    read_receipt,
    receipt_of,
    scope_of,
)

_SQL = load_queries("change_log")
_NOTE = load_queries("accounts")["note_sheets"]
_KEY_MS = limits.IDEMPOTENCY_HOURS * 3_600_000

Outcome = Receipt | IdempotencyKeyReused | ClockAhead
_Kept = tuple[bytes, Receipt]


async def append_together(
    transaction: LaneTransaction, appends: Sequence[Append], new: Sequence[bool]
) -> Sequence[Outcome]:
    """Append a group; return each one's receipt, or the error for which it alone was left out.

    Its rows go with the commit.

    The heads are locked already, so what stands under a key now is all that ever will before this
    transaction's own (mechanics L4). Nothing can stand under those keys that are `new`: we made
    them for these appends, and this is their first try.
    """
    times = [transaction.next(append.bucket) // PER_MILLISECOND for append in appends]
    asked = [
        pair
        for pair, is_new in zip(zip(appends, times, strict=True), new, strict=True)
        if not is_new
    ]
    kept = await _find_kept(transaction, asked)
    outcomes: list[Outcome] = []
    fresh: list[tuple[Append, int, Receipt]] = []
    for append, at_ms in zip(appends, times, strict=True):
        scope = scope_of(append)
        outcome = _answered(append, kept.get(scope)) or _placed(transaction, append)
        outcomes.append(outcome)
        if isinstance(outcome, Receipt) and scope not in kept:
            kept[scope] = (append.body_hash, outcome)
            fresh.append((append, at_ms, outcome))
    await _remember(transaction, fresh)
    await _note_sheets(transaction, [append for append, _, _ in fresh])
    return outcomes


def _answered(append: Append, kept: _Kept | None) -> Outcome | None:
    """Return what a key's first append was answered; None where the key is new."""
    if kept is None:
        return None
    body_hash, receipt = kept
    if body_hash != append.body_hash:
        return IdempotencyKeyReused("this Idempotency-Key was used with another body")
    return receipt


def _placed(transaction: LaneTransaction, append: Append) -> Receipt | ClockAhead:
    if not append.entries:
        return receipt_of(append, None, None)
    try:
        first, last = transaction.place(
            append.bucket, append.account, append.solution, append.entries
        )
    except ClockAhead as error:
        return error
    return receipt_of(append, first, last)


async def _find_kept(
    transaction: LaneTransaction, asked: Sequence[tuple[Append, int]]
) -> dict[Scope, _Kept]:
    """Return what is kept under appends' keys, and isn't too old to count at their times."""
    kept: dict[Scope, _Kept] = {}
    if not asked:
        return kept
    scopes = [scope_of(append) for append, _ in asked]
    given = [
        list(range(len(asked))),
        *([list(column) for column in zip(*scopes, strict=True)]),
        [at_ms // DAY_MS for _, at_ms in asked],
    ]
    for row in await transaction.connection.fetch(_SQL["find_keys"], *given):
        number, kept_at, body_hash, *receipt = row
        if kept_at > asked[number][1] - _KEY_MS:
            kept[scopes[number]] = (body_hash, read_receipt(receipt))
    return kept


async def _remember(
    transaction: LaneTransaction, fresh: Sequence[tuple[Append, int, Receipt]]
) -> None:
    """Keep receipts under their keys, in the day of the position given (mechanics L4)."""
    if not fresh:
        return
    rows: list[tuple[Value, ...]] = []
    for append, at_ms, receipt in fresh:
        transaction.days.add(at_ms // DAY_MS)
        rows.append(key_row(append, at_ms, receipt))
    columns = [list(column) for column in zip(*rows, strict=True)]
    await transaction.connection.execute(_SQL["remember_keys"], *columns)


async def _note_sheets(transaction: LaneTransaction, appends: Sequence[Append]) -> None:
    """Note the sheets of appends that may be new; most appends have none.

    In the order of their names over the whole group: two lanes that noted the same ones in two
    orders would wait for each other.
    """
    noted = sorted(
        (
            (append.account, sheet, append.solution, append.sheets_at_most)
            for append in appends
            for sheet in append.sheets
        ),
        key=itemgetter(0, 1),  # of those that name the same, the first one stays the first
    )
    if noted:
        await transaction.connection.executemany(_NOTE, noted)
