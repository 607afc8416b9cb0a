"""The follower for event loops."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator, Mapping
from typing import Any, Generic, Protocol, TypeVar

from tidings.client import AsyncClient, Event, EventsPage
from tidings.client.patience import NO_PATIENCE
from tidings.clock import SystemClock
from tidings.domain import limits
from tidings.receiver.cancellation import unless_cancelled
from tidings.receiver.follower.course import Course
from tidings.receiver.follower.hooks import Hooks
from tidings.receiver.follower.pings import tells_of_more
from tidings.receiver.follower.place import AsyncPlaceStore
from tidings.receiver.follower.steps import Ask, Gap, Load, Move, Step, Tell, Turn
from tidings.receiver.follower.wishes import Resume, Wishes

Tx = TypeVar("Tx")
R = TypeVar("R")


class LoopClock(Protocol):
    """What a follower needs of a clock; `tidings.clock.SystemClock` is one."""

    def draw(self) -> float:
        """Return a number in [0, 1)."""

    async def wait(self, event: asyncio.Event, timeout_seconds: float) -> bool:
        """Return True once `event` is set, False after `timeout_seconds`."""


class AsyncFollower(Generic[Tx]):
    """A Follower for event loops: see there for what it does and is given.

    Handlers and hooks are plain functions or asynchronous ones. `run` is ended by `stop`, or by
    cancelling its task: then the transaction that it is in is undone. All methods belong to the
    event loop's thread.
    """

    def __init__(
        self,
        client: AsyncClient,
        webhook_id: str,
        places: AsyncPlaceStore[Tx],
        *,
        on_page: Callable[[EventsPage, Tx], object] | None = None,
        on_event: Callable[[Event, Tx], object] | None = None,
        on_gap: Callable[[Gap, Tx], object] | None = None,
        on_failure: Callable[[Exception, float], object] | None = None,
        resume: Resume = "oldest",
        every_seconds: float = limits.FOLLOWER_EVERY_SECONDS,
        wait_seconds: int = 0,
        page_size: int = limits.PAGE_SIZE_MAX,
        clock: LoopClock | None = None,
    ) -> None:
        self._client = client
        self._webhook_id = webhook_id
        self._places = places
        self._clock: LoopClock = clock or SystemClock()
        self._hooks = Hooks(on_page, on_event, on_gap, on_failure)
        wishes = Wishes(
            webhook_id=webhook_id,
            singly=on_event is not None,
            heeds_gaps=on_gap is not None,
            resume=resume,
            every_seconds=every_seconds,
            wait_seconds=wait_seconds,
            page_size=page_size,
        )
        self._course = Course(wishes, self._clock.draw)
        self._woken = asyncio.Event()
        self._stopped = asyncio.Event()

    async def run_once(self) -> Turn:
        """Hand over all that there is to read now, and return.

        Raises what kept it from that: errors of `tidings.errors`, or what a handler or the
        database raised. What was handed over before stays so.
        """
        return await self._play(self._course.turn())

    async def run(self) -> None:
        """Follow until `stop`: look, wait, look again.

        What may pass is tried again, at growing intervals of at most a minute or as the server
        tells, for ever: the server away or too busy, handlers that raise. What can't is raised:
        NotFound where the webhook is gone (no new one is made), errors of the key or the request,
        EventsExpired.
        """
        await self._play(self._course.turns())

    def wake(self) -> None:
        """Have it look now, or once more where it is looking."""
        self._woken.set()

    def take_ping(self, ping: Mapping[str, Any]) -> bool:
        """Wake it by a ping's JSON body, already verified; return whether there was reason to.

        A ping of what was read before, or of another webhook, isn't one.
        """
        told = tells_of_more(ping, self._webhook_id, self._course.place)
        if told:
            self.wake()
        return told

    def stop(self) -> None:
        """Have `run` return, once the transaction that it is in and a request are done."""
        self._course.stopped = True
        self._stopped.set()
        self._woken.set()

    async def _play(self, course: Generator[Step, Any, R]) -> R:
        """Do what a course says until it returns."""
        given: object = None
        failure: Exception | None = None
        while True:
            try:
                step = course.send(given) if failure is None else course.throw(failure)
            except StopIteration as done:
                result: R = done.value
                return result
            given = failure = None
            try:
                given = await self._do(step)
            except Exception as error:  # noqa: BLE001 - the course judges it, and raises it again
                failure = error

    async def _do(self, step: Step) -> object:
        if isinstance(step, Load):
            self._woken.clear()
            return await self._places.load(self._webhook_id)
        if isinstance(step, Ask):
            return await self._client.send(step.request, patience=NO_PATIENCE)
        if isinstance(step, Move):
            await self._move(step)
            return None
        if isinstance(step, Tell):
            return await _done(self._hooks.tell(step.failure, step.wait_seconds))
        event = self._woken if step.wakeable else self._stopped
        return await self._clock.wait(event, step.seconds)

    async def _move(self, move: Move) -> None:
        async with self._places.moving(self._webhook_id, move.old, move.new) as transaction:
            for returned in self._hooks.work(move, transaction):
                await _done(returned)


async def _done(returned: object) -> object:
    """Return what a hook came to, whether it was asynchronous or not."""
    return await unless_cancelled(returned) if inspect.isawaitable(returned) else returned
