"""A receiver at work in one event loop: its inbox open, what comes gathered, its worker running."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from tidings.domain import limits
from tidings.domain.instants import to_milliseconds
from tidings.errors import StorageUnavailable
from tidings.receiver.clock import Clock
from tidings.receiver.gathering import Gathering
from tidings.receiver.inbox import Held, Inbox
from tidings.receiver.notification import Notification
from tidings.receiver.working import Worker


class Sitting:
    """Belongs to the loop and the process in which it was made."""

    def __init__(
        self, receiver: str, inbox: Inbox, worker: Worker, clock: Clock, remembered: timedelta
    ) -> None:
        self.inbox = inbox
        self.worker = worker
        self._receiver = receiver
        self._clock = clock
        self._remembered = remembered
        self._loop = asyncio.get_running_loop()
        self._process = os.getpid()
        self._gathering = Gathering(self._commit, largest=limits.KEEP_NOTIFICATIONS)
        self._held = Held(0, 0)
        self._look_at: float | None = None
        self._working: asyncio.Task[None] | None = None
        self._is_open = False
        self._opening = self._loop.create_task(inbox.open())

    @property
    def is_here(self) -> bool:
        """Whether this is its loop and its process."""
        return self._process == os.getpid() and self._loop is asyncio.get_running_loop()

    @property
    def is_elsewhere(self) -> bool:
        """Whether it goes on in another loop of this process."""
        return self._process == os.getpid() and self._loop.is_running() and not self.is_here

    @property
    def is_inherited(self) -> bool:
        """Whether it belongs to a process that this one was forked from."""
        return self._process != os.getpid()

    @property
    def is_open(self) -> bool:
        """Whether it is here, and its inbox open."""
        return self._is_open and self.is_here

    @property
    def is_working(self) -> bool:
        """Whether its worker runs."""
        return self._working is not None and not self._working.done()

    async def opened(self) -> None:
        """Return once the inbox is open; raise what hinders that."""
        await asyncio.shield(self._opening)
        self._is_open = True

    def start(self) -> None:
        """Let the worker run, where it doesn't yet."""
        if not self.is_working:
            self._working = self._loop.create_task(self.worker.run())

    def keep(self, notification: Notification) -> asyncio.Future[bool]:
        """Keep a notification, durably; the future says whether it is new."""
        return self._gathering.put(notification)

    async def close(self) -> None:
        """Stop the worker, finish what is being kept, and close the inbox."""
        if self._working is not None:
            self._working.cancel()
            with suppress(asyncio.CancelledError):
                await self._working
        await self._gathering.ended()
        with suppress(Exception):
            await self._opening
        await self.inbox.close()

    async def _commit(self, group: Sequence[Notification]) -> Sequence[bool]:
        await self._look()
        if (
            self._held.notifications >= limits.INBOX_NOTIFICATIONS
            or self._held.bytes >= limits.INBOX_BYTES
        ):
            raise StorageUnavailable("the inbox is full: see its dead letters, or its handlers")
        until_ms = to_milliseconds(self._clock.now() + self._remembered)
        try:
            async with asyncio.timeout(limits.KEEP_SECONDS):
                results = await self.inbox.keep(self._receiver, group, until_ms)
        except TimeoutError:
            raise StorageUnavailable("the inbox took too long") from None
        news = [len(one.body) for one, is_new in zip(group, results, strict=True) if is_new]
        self._held = Held(self._held.notifications + len(news), self._held.bytes + sum(news))
        if news:
            self.worker.wake.set()
        return results

    async def _look(self) -> None:
        """Measure the inbox now and then; in between, what this process kept is added up."""
        now = self._clock.monotonic()
        if self._look_at is None or now >= self._look_at:
            self._look_at = now + limits.INBOX_LOOK_SECONDS
            self._held = await self.inbox.held(self._receiver)
