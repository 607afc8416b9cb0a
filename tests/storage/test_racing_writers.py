"""The racing-writers check finds what it is there for: a log that breaks mechanics L2."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count

import pytest

from tidings.domain.log_entry import (
    Append,
    Appended,
    CallbackEntries,
    CallbackQuery,
    Header,
    Page,
    PageQuery,
    Receipt,
)
from tidings.domain.positions import position_at
from tidings.storage.sqlite import SqliteStorage
from tidings.storage.sqlite.queries import load_queries
from tidings.storage.sqlite.transaction import Transaction
from tidings.testing.clock import ManualClock
from tidings.testing.storage_races import race

from .conftest import SqliteFile

pytestmark = pytest.mark.anyio


class SequencedLog:
    """A log with the plausible fault: a sequence gives positions before the transaction begins.

    Each number is unique and ascends, as of a database's identity column, and still a reader can
    pass one whose transaction has not committed.
    """

    def __init__(self, storage: SqliteStorage, sequence: count[int]) -> None:
        self._storage = storage
        self._sequence = sequence

    async def append(self, append: Append) -> Receipt:
        position = next(self._sequence)
        await self._storage._writer.run(partial(_insert_at, append=append, position=position))
        return Receipt(
            accepted=1,
            suppressed=0,
            batch_id=append.batch_id,
            first_position=position,
            last_position=position,
        )

    async def read_page(self, query: PageQuery) -> Page:
        return await self._storage.log.read_page(query)

    async def read_callback(self, query: CallbackQuery) -> CallbackEntries:
        return await self._storage.log.read_callback(query)

    async def read_tail(self, tails: Mapping[int, int], limit: int) -> Sequence[Header]:
        return await self._storage.log.read_tail(tails, limit)

    def watch(self, watcher: Callable[[Appended], None]) -> Callable[[], None]:
        return self._storage.log.watch(watcher)


def _insert_at(transaction: Transaction, *, append: Append, position: int) -> None:
    [entry] = append.entries
    place = (append.bucket, position, append.account, append.solution, entry.application)
    what = (entry.kind, entry.mask, entry.subject, None, None, None, entry.body)
    insert = load_queries("change_log")["insert_entry"]
    transaction.connection.execute(insert, (*place, *what))


async def test_positions_taken_before_the_transaction_are_reported_as_skipped(
    database: SqliteFile, clock: ManualClock
) -> None:
    sequence = count(position_at(clock.now()))
    storages = [await database.open(clock, serve=serve) for serve in (True, False)]
    logs = [SequencedLog(storage, sequence) for storage in storages]
    try:
        for _ in range(20):  # each round is likely to skip; none at all in twenty is not
            report = await race(logs, logs[0], appends=640)
            if report.missed_by_tail:
                break
    finally:
        for storage in storages:
            await storage.close()
    assert report.missed_by_tail
    assert set(report.missed_by_tail) < set(report.acknowledged)
