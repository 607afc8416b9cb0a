"""The one writer: a thread, a queue, and group commit (mechanics L3).

Whatever waits when the last commit returns goes into the next, without a timer: at rest a write
goes alone and at once, under load a commit's cost is shared by all that came while the last one
ran. Appends that wait side by side are written together in a few statements; every other write,
and each append of a crowd that can't be written so, runs in a savepoint of its own, so that a bad
one fails alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

import apsw

from tidings.domain import limits
from tidings.domain.log_entry import Append, Appended, Receipt
from tidings.errors import LogOverloaded, StorageClosed
from tidings.ports import Clock
from tidings.storage.clock_bound import ClockBound
from tidings.storage.sqlite.appends import append_alone, append_together
from tidings.storage.sqlite.failures import CLOSED, translated, translated_write
from tidings.storage.sqlite.queries import load_queries
from tidings.storage.sqlite.transaction import Transaction
from tidings.storage.sqlite.wal import WalKeeper

T = TypeVar("T")
Write = Callable[[Transaction], T]
Announce = Callable[[Appended], None]

_SQL = load_queries("transactions")
_BEGIN, _COMMIT, _ROLLBACK = _SQL["begin_write"], _SQL["commit"], _SQL["rollback"]
_BEGIN_ONE, _KEEP_ONE, _UNDO_ONE = _SQL["begin_one"], _SQL["keep_one"], _SQL["undo_one"]


class _Waiting:
    """A write in the queue, and later its outcome: a value, or the error that undid it."""

    __slots__ = ("append", "error", "future", "size", "value", "write")

    def __init__(
        self, write: Write[Any], append: Append | None, size: int, future: asyncio.Future[Any]
    ) -> None:
        self.write = write
        self.append = append
        self.size = size
        self.future = future
        self.value: Any = None
        self.error: Exception | None = None


class Writer:
    """Runs writes in order, in groups, each group in one durable transaction.

    `announce` is called in the event loop for each stretch of log that a commit added, in commit
    order, before any write of that commit is answered.
    """

    def __init__(
        self, connection: apsw.Connection, path: str, clock: Clock, announce: Announce
    ) -> None:
        self.hints = False
        """Whether anyone listens to announcements: headers are built only then."""
        self.bound = ClockBound(clock)
        self._connection = connection
        self._path = path
        self._clock = clock
        self._announce = announce
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._turn: list[_Waiting] = []
        self._waiting = 0
        self._waiting_bytes = 0
        self._closed = False
        self._wal = WalKeeper(connection)
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="tidings-writer", daemon=True)
        self._thread.start()

    async def append(self, append: Append) -> Receipt:
        """Append one publish, together with others that wait; LogOverloaded if too many do."""
        size = sum(len(entry.body) for entry in append.entries)
        if (
            self._waiting >= limits.APPEND_QUEUE_REQUESTS
            or self._waiting_bytes + size > limits.APPEND_QUEUE_BYTES
        ):
            raise LogOverloaded(
                "the log can't keep up with what is published",
                retry_after_seconds=limits.OVERLOADED_RETRY_SECONDS,
            )
        return await self._queue_up(partial(append_alone, append=append), append, size)

    async def run(self, write: Write[T]) -> T:
        """Run a write and return its value once it is durable; raise what undid it.

        Not bounded here: its callers are (the API by its connections, workers by their rounds),
        and what dispatch must remember may not be shut out by publishers.
        """
        return await self._queue_up(write, None, 0)

    async def close(self) -> None:
        """Commit what is queued, then end the thread. A second call waits for the first."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._queue.put(None)
        await self._ended.wait()

    # In the event loop.

    async def _queue_up(self, write: Write[T], append: Append | None, size: int) -> T:
        if self._closed:
            raise StorageClosed(CLOSED)
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting += 1
        self._waiting_bytes += size
        if not self._turn:
            # What one turn of the loop brings goes over together: the first write alone would wake
            # the thread, which would commit it alone, and take the interpreter from the others.
            self._loop.call_soon(self._hand_over)
        self._turn.append(_Waiting(write, append, size, future))
        return await future

    def _hand_over(self) -> None:
        for waiting in self._turn:
            self._queue.put(waiting)
        self._turn.clear()

    def _settle(self, group: Sequence[_Waiting], appended: Sequence[Appended]) -> None:
        for stretch in appended:
            self._announce(stretch)
        for waiting in group:
            self._waiting -= 1
            self._waiting_bytes -= waiting.size
            if waiting.future.done():
                continue  # its caller was cancelled; the write stands
            if waiting.error is None:
                waiting.future.set_result(waiting.value)
            else:
                waiting.future.set_exception(waiting.error)

    # In the writer's thread.

    def _run(self) -> None:
        open_ended = True
        while open_ended:
            group, open_ended = self._next_group()
            if group:
                appended = self._commit_group(group)
                self._tell_loop(self._settle, group, appended)
                self._wal.checkpoint_if_long()
        self._tell_loop(self._ended.set)

    def _tell_loop(self, call: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            self._loop.call_soon_threadsafe(call, *arguments)

    def _next_group(self) -> tuple[list[_Waiting], bool]:
        """Wait for a write; return it with all that waits behind it, and whether more may come."""
        group: list[_Waiting] = []
        size = 0
        with contextlib.suppress(queue.Empty):
            waiting = self._queue.get()
            while waiting is not None:
                group.append(waiting)
                size += waiting.size
                full = len(group) >= limits.GROUP_COMMIT_WRITES or size >= limits.GROUP_COMMIT_BYTES
                if full:
                    return group, True
                waiting = self._queue.get_nowait()
            return group, False
        return group, True

    def _commit_group(self, group: Sequence[_Waiting]) -> Sequence[Appended]:
        """Run a group in one transaction; return what it appended, nothing if it failed."""
        connection = self._connection
        try:
            connection.execute(_BEGIN)
            transaction = Transaction(connection, self._clock, self.bound, hints=self.hints)
            for _, crowd in groupby(group, key=lambda waiting: waiting.append is not None):
                self._run_crowd(transaction, list(crowd))
            connection.execute(_COMMIT)
        except Exception as error:  # noqa: BLE001 - handed to every caller of the group
            self._fail_all(group, error)
            return ()
        return transaction.appended

    def _run_crowd(self, transaction: Transaction, crowd: Sequence[_Waiting]) -> None:
        """Run neighbours of one sort: appends together if that goes well, else each by itself."""
        appends = [waiting.append for waiting in crowd if waiting.append is not None]
        if len(appends) > 1:
            receipts, error = self._fenced(transaction, partial(append_together, appends=appends))
            if error is None:
                for waiting, receipt in zip(crowd, receipts or (), strict=True):
                    waiting.value = receipt
                return
        for waiting in crowd:
            waiting.value, error = self._fenced(transaction, waiting.write)
            if error is not None:
                waiting.error = translated_write(error, self._path)

    def _fenced(
        self, transaction: Transaction, write: Write[T]
    ) -> tuple[T, None] | tuple[None, Exception]:
        """Run a write in its savepoint; return its value, or the error for which it was undone.

        Raises only what ends the whole transaction.
        """
        connection = self._connection
        appended = len(transaction.appended)
        connection.execute(_BEGIN_ONE)
        try:
            value = write(transaction)
        except Exception as error:
            if not connection.in_transaction:
                raise  # a full disk or a failed write: SQLite has undone the whole group
            connection.execute(_UNDO_ONE)
            connection.execute(_KEEP_ONE)
            transaction.forget_undone(appended)
            return None, error
        connection.execute(_KEEP_ONE)
        return value, None

    def _fail_all(self, group: Sequence[_Waiting], error: Exception) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(apsw.Error):
                self._connection.execute(_ROLLBACK)
        for waiting in group:
            waiting.error = waiting.error or translated(error, self._path)
