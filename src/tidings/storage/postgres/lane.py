"""A lane: the writes that wait for its buckets' heads, in their order (mechanics L3).

Appends that wait side by side go into one transaction; any other write of the lane's buckets has
one for itself. A lane is in one transaction at a time, so a process hears of its own commits to a
bucket in their order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from tidings.domain import limits
from tidings.domain.log_entry import Append, Receipt
from tidings.errors import LogOverloaded
from tidings.storage.postgres.failures import closed
from tidings.storage.postgres.transaction import LaneTransaction, check_storable, check_text

T = TypeVar("T")
Write = Callable[[LaneTransaction], Awaitable[T]]


class Waiting:
    """A write in the queue: an append, or a write of one bucket that has a transaction alone."""

    __slots__ = ("append", "bucket", "future", "lane", "rows", "size", "tried", "write")

    def __init__(
        self, lane: Lane, bucket: int, append: Append | None, write: Write[Any] | None, size: int
    ) -> None:
        self.lane = lane
        self.bucket = bucket
        self.append = append
        self.write = write
        self.size = size
        self.rows = 1 if append is None else max(1, len(append.entries))
        self.tried = False
        """Whether it may have been stored already, by a try that came to no answer."""
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def answer(self, outcome: object) -> None:
        """Give a value, or an exception, to the one who waits for it."""
        self.lane.forget(self)
        if self.future.done():
            return  # its caller was cancelled; the write stands
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class Lane:
    """The queue of some buckets. `woken` is called when something is put into it."""

    def __init__(self, woken: Callable[[], None]) -> None:
        self.busy = False
        """Whether a transaction with its writes is under way."""
        self.is_closed = False
        self._woken = woken
        self._queue: deque[Waiting] = deque()
        self._held_up = False
        self._rows = 0
        self._waiting = 0
        self._waiting_bytes = 0

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
        receipt: Receipt = await self._queued(Waiting(self, append.bucket, append, None, size))
        return receipt

    async def run(self, bucket: int, write: Write[T]) -> T:
        """Run a write under one bucket's head lock; return its value once it is durable.

        Not bounded here: its callers are (the API by its connections, workers by their rounds).
        """
        value: T = await self._queued(Waiting(self, bucket, None, write, 0))
        return value

    @property
    def is_ready(self) -> bool:
        """Whether something waits that may go now."""
        return bool(self._queue) and not self.busy

    @property
    def goes_alone(self) -> bool:
        """Whether what is next goes without other lanes': a write that is no append, appends that
        were held up by a head that somebody has, or so much that it fills a commit by itself.
        """
        return (
            self._queue[0].append is None
            or self._held_up
            or self._rows >= limits.LANE_ALONE_ROWS
            or self._waiting_bytes >= limits.LANE_ALONE_BYTES
        )

    def take(self) -> list[Waiting]:
        """Take a write that goes alone, or all appends that wait before the next such."""
        self.busy, self._held_up = True, False
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
        self._rows -= sum(waiting.rows for waiting in group)
        return group

    def put_back(self, group: Sequence[Waiting]) -> None:
        """Put appends back to where they were: they were held up, and go by themselves now."""
        self._held_up = True
        self._queue.extendleft(reversed(group))
        self._rows += sum(waiting.rows for waiting in group)

    def forget(self, waiting: Waiting) -> None:
        """Count a write no more."""
        self._waiting -= 1
        self._waiting_bytes -= waiting.size

    async def _queued(self, waiting: Waiting) -> Any:
        if self.is_closed:
            raise closed()
        self._waiting += 1
        self._waiting_bytes += waiting.size
        self._rows += waiting.rows
        self._queue.append(waiting)
        self._woken()
        return await waiting.future
