"""Leases and what dispatch must remember, on SQLite (mechanics D1, D2, D6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import apsw

from tidings.domain.dispatch import (
    Attempt,
    BucketSettlement,
    BucketState,
    CallbackCursor,
    ReadNote,
)
from tidings.domain.instants import to_milliseconds
from tidings.storage.rows.dispatch import (
    attempt_row,
    debt_row,
    read_attempt,
    read_debt,
    read_state,
    state_row,
)
from tidings.storage.rows.webhooks import json_text
from tidings.storage.sqlite.callback_rows import cursors_of_bucket, find_cursors, save_cursors
from tidings.storage.sqlite.connection import snapshot
from tidings.storage.sqlite.lifecycle_store import revive
from tidings.storage.sqlite.lifecycle_time import lag_ms
from tidings.storage.sqlite.queries import load_queries
from tidings.storage.sqlite.readers import Readers
from tidings.storage.sqlite.transaction import Transaction
from tidings.storage.sqlite.webhook_rows import tracked_of_bucket
from tidings.storage.sqlite.writer import Writer

_SQL = load_queries("dispatch")


class SqliteDispatchStore:
    """ports.DispatchStore on one file."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def take(
        self, buckets: Sequence[int], holder: str, seconds: float, *, predecessor_gone: bool = False
    ) -> Mapping[int, int]:
        """Take the leases that may be taken; return bucket → new epoch (ports.DispatchStore)."""
        return await self._writer.run(
            partial(
                _take,
                buckets=buckets,
                holder=holder,
                seconds=seconds,
                predecessor_gone=predecessor_gone,
            )
        )

    async def renew(self, holder: str, epochs: Mapping[int, int], seconds: float) -> frozenset[int]:
        """Lengthen leases that nobody else took; return the buckets that are still held."""
        return await self._writer.run(
            partial(_renew, holder=holder, epochs=epochs, seconds=seconds)
        )

    async def release(self, holder: str, epochs: Mapping[int, int]) -> None:
        """End leases that are still held at these epochs."""
        await self._writer.run(partial(_release, holder=holder, epochs=epochs))

    async def held(self) -> Mapping[int, str]:
        """Return who holds which bucket."""
        return await self._writer.run(_held)

    async def load(self, bucket: int) -> BucketState:
        """Read all that the holder of a bucket needs, from one snapshot."""
        return await self._readers.in_thread(_load, bucket)

    async def settle(self, settlements: Sequence[BucketSettlement]) -> frozenset[int]:
        """Write settlements in one transaction; return the buckets left out."""
        return await self._writer.run(partial(_settle, settlements=settlements))

    async def cursors(
        self, bucket: int, webhook_ids: Sequence[str]
    ) -> Mapping[str, CallbackCursor]:
        """Return those of the callback webhooks' cursors that exist."""
        return self._readers.at_once(find_cursors, bucket, webhook_ids)

    async def note_reads(self, notes: Sequence[ReadNote]) -> Sequence[str]:
        """Store when and how far webhooks were listed (ports.DispatchStore.note_reads)."""
        return await self._writer.run(partial(_note_reads, notes=notes))

    async def tell_reads(self, notes: Sequence[ReadNote]) -> None:
        """Keep nothing: the file's only server hears of each in itself."""

    async def take_told(self, buckets: Sequence[int]) -> Sequence[ReadNote]:
        """Return nothing: see `tell_reads`."""
        return ()

    async def add_attempts(self, attempts: Sequence[Attempt]) -> None:
        """Add to the log of attempts, in one batch; not those of webhooks that are gone."""
        rows = [attempt_row(attempt) for attempt in attempts]
        await self._writer.run(partial(_write_rows, name="add_attempts", rows=rows))

    async def attempts_of(self, bucket: int, webhook_id: str, limit: int) -> Sequence[Attempt]:
        """Return a webhook's newest attempts, newest first."""
        return await self._readers.in_thread(_attempts_of, bucket, webhook_id, limit)


def _take(
    transaction: Transaction,
    *,
    buckets: Sequence[int],
    holder: str,
    seconds: float,
    predecessor_gone: bool,
) -> dict[int, int]:
    wish = {
        "buckets": json_text(list(buckets)),
        "holder": holder,
        "now": transaction.now_ms,
        "ends_at": _ends_at(transaction, seconds),
        "predecessor_gone": predecessor_gone,
    }
    rows: Iterable[Any] = transaction.connection.execute(_SQL["take_leases"], wish)
    return dict(rows)


def _renew(
    transaction: Transaction, *, holder: str, epochs: Mapping[int, int], seconds: float
) -> frozenset[int]:
    """Renew in one step: with a step a lease the thread would wait for the interpreter's lock each
    time, 256 times every three seconds."""
    connection = transaction.connection
    wish = {"holder": holder, "epochs": json_text(epochs)}
    connection.execute(_SQL["renew_leases"], {**wish, "ends_at": _ends_at(transaction, seconds)})
    if connection.changes() == len(epochs):
        return frozenset(epochs)
    rows: Iterable[Any] = connection.execute(_SQL["held_leases"], wish)
    return frozenset(bucket for (bucket,) in rows)


def _release(transaction: Transaction, *, holder: str, epochs: Mapping[int, int]) -> None:
    rows = [(bucket, epoch, holder) for bucket, epoch in epochs.items()]
    transaction.connection.executemany(_SQL["release_lease"], rows)


def _held(transaction: Transaction) -> dict[int, str]:
    rows: Iterable[Any] = transaction.connection.execute(_SQL["holders"], (transaction.now_ms,))
    return dict(rows)


def _ends_at(transaction: Transaction, seconds: float) -> int:
    return transaction.now_ms + round(seconds * 1000)


def _settle(transaction: Transaction, *, settlements: Sequence[BucketSettlement]) -> frozenset[int]:
    left_out = set()
    for settlement in settlements:
        fence = (settlement.bucket, settlement.epoch)
        if transaction.connection.execute(_SQL["lease_held"], fence).fetchone() is None:
            left_out.add(settlement.bucket)
        else:
            _settle_bucket(transaction, settlement)
    return frozenset(left_out)


def _settle_bucket(transaction: Transaction, settlement: BucketSettlement) -> None:
    bucket, connection = settlement.bucket, transaction.connection
    if settlement.checkpoint is not None:
        connection.execute(_SQL["save_checkpoint"], (bucket, settlement.checkpoint))
    _write_rows(
        transaction,
        name="save_states",
        rows=[state_row(state) for state in settlement.states],
    )
    connection.executemany(_SQL["pay_debt"], [(bucket, paid) for paid in settlement.paid])
    _write_rows(
        transaction,
        name="save_debts",
        rows=[debt_row(debt) for debt in settlement.debts],
    )
    save_cursors(transaction, settlement.cursors)


def _note_reads(transaction: Transaction, *, notes: Sequence[ReadNote]) -> list[str]:
    behind = lag_ms(transaction)
    rows = [
        (
            note.bucket,
            note.webhook_id,
            to_milliseconds(note.listed_at),
            note.read_position,
            note.key_id,
            to_milliseconds(note.listed_at) - behind,
        )
        for note in notes
    ]
    _write_rows(transaction, name="note_reads", rows=rows)
    by_bucket: dict[int, list[str]] = {}
    for note in notes:
        by_bucket.setdefault(note.bucket, []).append(note.webhook_id)
    return [
        revived
        for bucket, webhook_ids in by_bucket.items()
        for revived in revive(transaction, bucket, webhook_ids)
    ]


def _write_rows(
    transaction: Transaction, *, name: str, rows: Sequence[tuple[int | str | None, ...]]
) -> None:
    """Write rows in one step: at a step a row the thread would wait for the interpreter's lock
    each time, beside a busy event loop for seconds, and every publish with it."""
    if rows:
        transaction.connection.execute(_SQL[name], (json_text(rows),))


def _load(connection: apsw.Connection, bucket: int) -> BucketState:
    with snapshot(connection):
        checkpoint: int | None = connection.execute(_SQL["checkpoint"], (bucket,)).get
        return BucketState(
            bucket=bucket,
            checkpoint=checkpoint or 0,
            webhooks=tracked_of_bucket(connection, bucket),
            states=tuple(read_state(*row) for row in connection.execute(_SQL["states"], (bucket,))),
            debts=tuple(read_debt(*row) for row in connection.execute(_SQL["debts"], (bucket,))),
            cursors=cursors_of_bucket(connection, bucket),
        )


def _attempts_of(
    connection: apsw.Connection, bucket: int, webhook_id: str, limit: int
) -> list[Attempt]:
    rows = connection.execute(_SQL["attempts_of"], (bucket, webhook_id, limit))
    return [read_attempt(*row) for row in rows]
