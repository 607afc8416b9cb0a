"""An appender: a connection that commits groups of writes, each in one durable transaction.

All of a group's buckets have their heads locked first, ascending, whatever lanes they are of
(mechanics L2 to L4).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial

import asyncpg

from tidings.domain import limits
from tidings.domain.log_entry import Appended
from tidings.ports import Clock
from tidings.storage.clock_bound import ClockBound
from tidings.storage.postgres.appends import append_together
from tidings.storage.postgres.connection import Connection, Database
from tidings.storage.postgres.days import Days, misses_a_day
from tidings.storage.postgres.failures import is_lost, is_of_the_data, is_undone, translated
from tidings.storage.postgres.lane import T, Waiting, Write
from tidings.storage.postgres.queries import load_queries
from tidings.storage.postgres.transaction import LaneTransaction, prepare

_ROLLBACK = load_queries("transactions")["rollback"]


class HeldUp(Exception):
    """Somebody has a lock that a group wasn't to wait for; nothing of the group is stored."""


class Appender:
    """Commits groups, one after the other.

    `announce` is called for each stretch of log that a commit added, in commit order, before any
    write of that commit is answered.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        bound: ClockBound,
        days: Days,
        announce: Callable[[Appended], None],
    ) -> None:
        self.hints = False
        """Whether anyone listens to announcements: headers are built only then."""
        self._database = database
        self._clock = clock
        self._bound = bound
        self._days = days
        self._announce = announce
        self._connection: Connection | None = None

    async def settle(self, group: Sequence[Waiting], *, patient: bool = True) -> None:
        """Commit a group and answer it; where somebody's data breaks it, each by itself.

        Raises HeldUp where it isn't patient and has waited for a lock for LOCK_PATIENCE_MS: then
        it has answered nobody.
        """
        try:
            outcomes = await self._committed(group, patient=patient)
        except HeldUp:
            raise
        except Exception as error:  # noqa: BLE001 - handed to every caller of the group
            if len(group) > 1 and is_of_the_data(error):
                for waiting in group:
                    await self.settle([waiting])
                return
            outcomes = [translated(error)] * len(group)
        for waiting, outcome in zip(group, outcomes, strict=True):
            waiting.answer(outcome)

    async def begun(self, buckets: set[int], *, patient: bool = True) -> LaneTransaction:
        """Begin a transaction that holds the heads' locks, on a connection made anew if need be."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect()
            await prepare(self._connection)
        transaction = LaneTransaction(self._connection, self._bound, hints=self.hints)
        await transaction.begin(buckets, None if patient else limits.LOCK_PATIENCE_MS)
        return transaction

    async def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._connection.close()

    async def _committed(self, group: Sequence[Waiting], *, patient: bool) -> Sequence[object]:
        buckets = {waiting.bucket for waiting in group}
        [first, *_] = group
        if first.write is not None:
            return [await self._persist(buckets, first.write, group, patient=True)]
        work = partial(_append, group=group)
        return await self._persist(buckets, work, group, patient=patient)

    async def _persist(
        self, buckets: set[int], work: Write[T], group: Sequence[Waiting], *, patient: bool
    ) -> T:
        """Run `work` in a transaction of its own, again where that is safe; return its value.

        Safe is: what was surely undone, and for appends also what may have been committed when
        the connection was lost, because their keys then decide inside the next transaction (L4).
        """
        give_up_at = self._clock.monotonic() + limits.DATABASE_RETRY_SECONDS
        wait_seconds = limits.DATABASE_RETRY_WAIT_SECONDS
        attached: set[int] = set()
        resend = all(waiting.append is not None for waiting in group)
        while True:
            attempt = _Try(self, buckets)
            try:
                value = await attempt.run(work, patient=patient)
            except Exception as error:
                for waiting in group:
                    waiting.tried = True
                await self._undo(error)
                if not patient and isinstance(error, asyncpg.LockNotAvailableError):
                    raise HeldUp from error
                if misses_a_day(error) and not attempt.days <= attached:
                    await self._days.attach(attempt.days)
                    attached |= attempt.days
                    continue
                again = is_undone(error) or (is_lost(error) and (resend or not attempt.committing))
                if not again or self._clock.monotonic() >= give_up_at:
                    raise
            else:
                for stretch in attempt.appended:
                    self._announce(stretch)
                return value
            await self._clock.sleep(wait_seconds)
            wait_seconds = min(2 * wait_seconds, limits.DATABASE_RETRY_WAIT_SECONDS_MAX)

    async def _undo(self, error: Exception) -> None:
        """Roll back what is open; hang up where nobody knows how the connection stands."""
        connection = self._connection
        if connection is None:
            return
        if not is_lost(error):
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if connection.is_in_transaction():
                    await connection.execute(_ROLLBACK)
                return
        connection.terminate()
        self._connection = None


class _Try:
    """One try of a transaction, and how far it came."""

    def __init__(self, appender: Appender, buckets: set[int]) -> None:
        self.committing = False
        self.days: set[int] = set()
        self.appended: list[Appended] = []
        self._appender = appender
        self._buckets = buckets

    async def run(self, work: Write[T], *, patient: bool) -> T:
        """Run `work` and commit it."""
        transaction = await self._appender.begun(self._buckets, patient=patient)
        self.days, self.appended = transaction.days, transaction.appended
        value = await work(transaction)
        self.committing = True
        await transaction.commit()
        return value


async def _append(transaction: LaneTransaction, *, group: Sequence[Waiting]) -> Sequence[object]:
    appends = [waiting.append for waiting in group if waiting.append is not None]
    new = [waiting.append.key_is_new and not waiting.tried for waiting in group if waiting.append]
    return await append_together(transaction, appends, new)
