"""A lane: one connection that commits its buckets' appends, in groups (mechanics L2 to L4).

Whatever waits when the last commit returns goes into the next, without a timer. Appends that wait
side by side go into one transaction; any other write of the lane's buckets has one for itself. All
of them lock their heads first, and since a process has one lane a bucket, it hears of its own
commits in their order.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import asyncpg

from tidings.domain import limits
from tidings.domain.log_entry import Append, Appended, Receipt
from tidings.errors import LogOverloaded
from tidings.ports import Clock
from tidings.storage.clock_bound import ClockBound
from tidings.storage.postgres.appends import append_together
from tidings.storage.postgres.connection import Connection, Database, commit
from tidings.storage.postgres.days import Days, misses_a_day
from tidings.storage.postgres.failures import closed, is_lost, is_of_the_data, is_undone, translated
from tidings.storage.postgres.queries import load_queries
from tidings.storage.postgres.transaction import LaneTransaction, check_storable, check_text

T = TypeVar("T")
Write = Callable[[LaneTransaction], Awaitable[T]]

_SQL = load_queries("transactions")
_BEGIN, _ROLLBACK = _SQL["begin_write"], _SQL["rollback"]


class _Waiting:
    """A write in the queue: an append, or a write of one bucket that has a transaction alone."""

    __slots__ = ("append", "bucket", "future", "size", "write")

    def __init__(
        self,
        bucket: int,
        append: Append | None,
        write: Write[Any] | None,
        size: int,
        future: asyncio.Future[Any],
    ) -> None:
        self.bucket = bucket
        self.append = append
        self.write = write
        self.size = size
        self.future = future


class Lane:
    """Runs the writes of its buckets in order, in groups, each group in one durable transaction.

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
        self._queue: deque[_Waiting] = deque()
        self._queued = asyncio.Event()
        self._waiting = 0
        self._waiting_bytes = 0
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    async def append(self, append: Append) -> Receipt:
        """Append one publish, together with others that wait.

        Raises LogOverloaded if too many do, and InvalidArgument for what can't be stored.
        """
        for entry in append.entries:
            check_storable(append.account, append.solution, entry)
        check_text(f"{append.account}\n{append.solution}\n{append.key}", limits.INDEX_KEY_BYTES)
        size = sum(len(entry.body) for entry in append.entries)
        if (
            self._waiting >= limits.APPEND_QUEUE_REQUESTS
            or self._waiting_bytes + size > limits.APPEND_QUEUE_BYTES
        ):
            raise LogOverloaded(
                "the log can't keep up with what is published",
                retry_after_seconds=limits.OVERLOADED_RETRY_SECONDS,
            )
        receipt: Receipt = await self._queue_up(append.bucket, append, None, size)
        return receipt

    async def run(self, bucket: int, write: Write[T]) -> T:
        """Run a write under one bucket's head lock; return its value once it is durable.

        Not bounded here: its callers are (the API by its connections, workers by their rounds).
        """
        value: T = await self._queue_up(bucket, None, write, 0)
        return value

    async def close(self) -> None:
        """Commit what is queued, then hang up. A second call waits for the first."""
        self._closed = True
        self._queued.set()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _queue_up(
        self, bucket: int, append: Append | None, write: Write[Any] | None, size: int
    ) -> Any:
        if self._closed:
            raise closed()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="tidings-lane")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting += 1
        self._waiting_bytes += size
        self._queue.append(_Waiting(bucket, append, write, size, future))
        self._queued.set()
        return await future

    async def _run(self) -> None:
        while True:
            await self._queued.wait()
            if not self._queue:
                if self._closed:
                    break
                self._queued.clear()
                continue
            group = self._next_group()
            try:
                await self._settle(group)
            except Exception as error:  # noqa: BLE001 - handed to every caller of the group
                self._answer(group, [translated(error)] * len(group))
        await self._hang_up()

    def _next_group(self) -> list[_Waiting]:
        """Take a write that goes alone, or all appends that wait before the next such."""
        group = [self._queue.popleft()]
        size = group[0].size
        while (
            group[0].append is not None
            and self._queue
            and self._queue[0].append is not None
            and len(group) < limits.GROUP_COMMIT_WRITES
            and size < limits.GROUP_COMMIT_BYTES
        ):
            group.append(self._queue.popleft())
            size += group[-1].size
        return group

    async def _settle(self, group: Sequence[_Waiting]) -> None:
        """Commit a group and answer it; where somebody's data breaks it, each by itself."""
        appends = [waiting.append for waiting in group if waiting.append is not None]
        buckets = {waiting.bucket for waiting in group}
        try:
            if appends:
                work = partial(append_together, appends=appends)
                outcomes = await self._persist(buckets, work, resend=True)
            else:
                [alone] = group
                assert alone.write is not None
                outcomes = [await self._persist(buckets, alone.write, resend=False)]
        except Exception as error:
            if len(group) == 1 or not is_of_the_data(error):
                raise
            for waiting in group:
                try:
                    await self._settle([waiting])
                except Exception as own:  # noqa: BLE001 - handed to the one whose it is
                    self._answer([waiting], [translated(own)])
            return
        self._answer(group, outcomes)

    def _answer(self, group: Sequence[_Waiting], outcomes: Sequence[Any]) -> None:
        for waiting, outcome in zip(group, outcomes, strict=True):
            self._waiting -= 1
            self._waiting_bytes -= waiting.size
            if waiting.future.done():
                continue  # its caller was cancelled; the write stands
            if isinstance(outcome, Exception):
                waiting.future.set_exception(outcome)
            else:
                waiting.future.set_result(outcome)

    async def _persist(self, buckets: set[int], work: Write[T], *, resend: bool) -> T:
        """Run `work` in a transaction of its own, again where that is safe; return its value.

        Safe is: what was surely undone, and with `resend` also what may have been committed when
        the connection was lost, because its keys then decide inside the next transaction (L4).
        """
        give_up_at = self._clock.monotonic() + limits.DATABASE_RETRY_SECONDS
        wait_seconds = limits.DATABASE_RETRY_WAIT_SECONDS
        attached: set[int] = set()
        while True:
            attempt = _Try(self, buckets)
            try:
                value = await attempt.run(work)
            except Exception as error:
                await self._undo(error)
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

    async def begun(self, buckets: set[int]) -> LaneTransaction:
        """Begin a transaction that holds the heads' locks, on a connection made anew if need be."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect()
        await self._connection.execute(_BEGIN)
        transaction = LaneTransaction(self._connection, self._bound, hints=self.hints)
        await transaction.lock(buckets)
        return transaction

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

    async def _hang_up(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._connection.close()


class _Try:
    """One try of a transaction, and how far it came."""

    def __init__(self, lane: Lane, buckets: set[int]) -> None:
        self.committing = False
        self.days: set[int] = set()
        self.appended: list[Appended] = []
        self._lane = lane
        self._buckets = buckets

    async def run(self, work: Write[T]) -> T:
        """Run `work` and commit it."""
        transaction = await self._lane.begun(self._buckets)
        self.days, self.appended = transaction.days, transaction.appended
        value = await work(transaction)
        self.committing = True
        await commit(transaction.connection)
        return value
