"""Who waits for events to arrive: the other half of `wait_seconds` (contract 1.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tidings.domain.buckets import bucket_of
from tidings.domain.limits import WAIT_POLL_SECONDS
from tidings.domain.log_entry import Appended, Header
from tidings.ports import Clock


class _Waiter:
    __slots__ = ("bell", "wanted")

    def __init__(self, wanted: Callable[[Header], bool]) -> None:
        self.bell = asyncio.Event()
        self.wanted = wanted


class Arrivals:
    """Wakes those who wait for a solution's next event, as the log grows.

    `hints` says whether `appended` hears of every append of the whole installation
    (`Capabilities.hints`). Where it doesn't, a wait ends after a moment, and the caller looks.
    Nothing is lost by a hint that never comes: whoever waited reads the log once more.
    """

    def __init__(self, *, hints: bool) -> None:
        self._hints = hints
        self._closed = False
        self._newest: dict[int, int] = {}
        self._waiting: dict[tuple[str, str], set[_Waiter]] = {}

    def appended(self, appended: Appended) -> None:
        """Take a hint of the log (`ChangeLog.watch`); wake those who wait for one of its entries.

        It runs in the event loop, within the append: it only sets events.
        """
        if not appended.headers:
            return
        self._newest[appended.bucket] = appended.headers[-1].position
        if self._waiting:
            for header in appended.headers:
                for waiter in self._waiting.get((header.account, header.solution), ()):
                    if not waiter.bell.is_set() and waiter.wanted(header):
                        waiter.bell.set()

    async def wait(
        self,
        account: str,
        solution: str,
        after_position: int,
        timeout_seconds: float,
        clock: Clock,
        *,
        wanted: Callable[[Header], bool],
    ) -> None:
        """Return when a wanted entry may have come, or the time is over, or the server drains.

        `after_position` is the bucket's last position as the caller saw it: what came between
        that look and this call doesn't get lost, it ends the wait at once. `wanted` keeps changes
        that the caller doesn't cover from waking it.
        """
        newest = self._newest.get(bucket_of(account, solution), 0)
        if self._closed or newest > after_position:
            return
        waiter = _Waiter(wanted)
        waiting = self._waiting.setdefault((account, solution), set())
        waiting.add(waiter)
        try:
            seconds = timeout_seconds if self._hints else min(timeout_seconds, WAIT_POLL_SECONDS)
            await clock.wait(waiter.bell, seconds)
        finally:
            waiting.discard(waiter)
            if not waiting:
                self._waiting.pop((account, solution), None)

    @property
    def closed(self) -> bool:
        """Whether nobody waits any more, because the server drains."""
        return self._closed

    def close(self) -> None:
        """End every wait, now and from now on: a draining server answers what it has."""
        self._closed = True
        for waiting in self._waiting.values():
            for waiter in waiting:
                waiter.bell.set()
