"""Appends inside a transaction: one by one, or a crowd of them in a few statements.

Under load nearly all of a group are appends with keys that are new. Those are written together;
where that fails, for a repeated key or a bad entry, all is undone and each goes by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tidings.domain import limits
from tidings.domain.log_entry import Append, Receipt
from tidings.errors import IdempotencyKeyReused
from tidings.storage.rows.change_log import key_row, read_receipt, receipt_of, scope_of
from tidings.storage.sqlite.many_rows import ManyRows
from tidings.storage.sqlite.queries import load_queries
from tidings.storage.sqlite.transaction import Transaction

_SQL, _ACCOUNTS = load_queries("change_log"), load_queries("accounts")
_REMEMBER, _FIND_KEY, _FORGET_KEY = _SQL["remember_key"], _SQL["find_key"], _SQL["forget_key"]
_KEYS = ManyRows(_REMEMBER)
_KEY_MS = limits.IDEMPOTENCY_HOURS * 3_600_000


class KeysRepeated(Exception):
    """Some key of a crowd is known already, or comes twice in it. Never leaves the writer."""


def append_together(transaction: Transaction, appends: Sequence[Append]) -> Sequence[Receipt]:
    """Append a crowd whose keys are all new; return the receipts in order.

    Raises KeysRepeated if they aren't. Whatever it raises, the caller must undo what it did.
    """
    transaction.learn_lasts(append.bucket for append in appends)
    receipts = [_place(transaction, append) for append in appends]
    rows = [
        key_row(append, transaction.now_ms, receipt)
        for append, receipt in zip(appends, receipts, strict=True)
    ]
    connection = transaction.connection
    before = connection.total_changes()
    _KEYS.insert(connection, rows)
    if connection.total_changes() - before < len(rows):
        raise KeysRepeated
    transaction.insert_placed()
    for append in appends:
        _note_sheets(transaction, append)
    return receipts


def append_alone(transaction: Transaction, append: Append) -> Receipt:
    """Append one publish, or return what its key's first append was answered (mechanics L4)."""
    _note_sheets(transaction, append)
    earlier = _find_earlier(transaction, append)
    if earlier is not None:
        return earlier
    receipt = _place(transaction, append)
    transaction.connection.execute(_REMEMBER, key_row(append, transaction.now_ms, receipt))
    transaction.insert_placed()
    return receipt


def _place(transaction: Transaction, append: Append) -> Receipt:
    first, last = None, None
    if append.entries:
        first, last = transaction.place(
            append.bucket, append.account, append.solution, append.entries
        )
    return receipt_of(append, first, last)


def _note_sheets(transaction: Transaction, append: Append) -> None:
    """Note the sheets of an append that may be new; most appends have none."""
    if append.sheets:
        note = {
            "account": append.account,
            "solution": append.solution,
            "sheets": msgspec.json.encode(append.sheets).decode(),
            "at_most": append.sheets_at_most,
        }
        transaction.connection.execute(_ACCOUNTS["note_sheets"], note)


def _find_earlier(transaction: Transaction, append: Append) -> Receipt | None:
    """Return the receipt that is kept under the append's key; forget one that is too old."""
    connection = transaction.connection
    found: Any = connection.execute(_FIND_KEY, scope_of(append)).fetchone()
    if found is None:
        return None
    kept_at, body_hash, *answer = found
    if kept_at <= transaction.now_ms - _KEY_MS:
        connection.execute(_FORGET_KEY, scope_of(append))
        return None
    if body_hash != append.body_hash:
        raise IdempotencyKeyReused("this Idempotency-Key was used with another body")
    return read_receipt(answer)
