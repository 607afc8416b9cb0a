"""A clock that stands still until a test moves it, with dice that fall the same every time."""

from __future__ import annotations

import asyncio
import hashlib
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

_TURNS = 20
"""Turns of the loop after each wake-up: enough for a woken task to act and to sleep again."""

DEFAULT_START = datetime(2026, 1, 15, 12, tzinfo=UTC)


class ManualClock:
    """The Clock port for tests: time moves by `advance` alone, entropy and draws by a seed.

    `now` and `monotonic` may be called from any thread; the rest belongs to the event loop.
    """

    def __init__(self, start: datetime = DEFAULT_START, *, seed: int = 0) -> None:
        self._origin = start
        self._monotonic = 0.0
        self._seed = seed
        self._drawn = count()
        self._order = count()
        self._timers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """Return the present: aware, UTC, whole milliseconds."""
        present = self._origin + timedelta(seconds=self._monotonic)
        return present.replace(microsecond=present.microsecond // 1000 * 1000)

    def monotonic(self) -> float:
        """Return the seconds that were advanced so far; `shift` doesn't move them."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Return when the clock was advanced by `seconds`; at once (one turn) for none."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        await self._timer(seconds)

    async def wait(self, event: asyncio.Event, timeout_seconds: float) -> bool:
        """Return True once `event` is set, or False when the clock has passed the time-out."""
        if event.is_set():
            return True
        timer = self._timer(max(0.0, timeout_seconds))
        waiting = asyncio.ensure_future(event.wait())
        either: set[asyncio.Future[Any]] = {timer, waiting}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            timer.cancel()
        return event.is_set()

    def entropy(self, size: int) -> bytes:
        """Return the next `size` bytes of a sequence that the seed fixes."""
        source = f"{self._seed}.{next(self._drawn)}".encode()
        return hashlib.shake_256(source).digest(size)

    def draw(self) -> float:
        """Return the next number in [0, 1) of a sequence that the seed fixes."""
        return int.from_bytes(self.entropy(6), "big") / (1 << 48)

    async def advance(self, seconds: float) -> None:
        """Move time on, waking in due order who waits; each acts before the next is woken.

        What a woken task goes on to wait for is woken too, if it falls due within `seconds`.
        """
        await self.advance_to(self._monotonic + seconds)

    async def advance_to(self, until: float) -> None:
        """Move time on as `advance` does, to a moment: of `next_timer`, say.

        The difference of two floats, added to the one, needn't be the other.
        """
        await self._turns()
        while self._timers and self._timers[0][0] <= until:
            due, _, timer = heapq.heappop(self._timers)
            self._move_to(due)
            if not timer.done():
                timer.set_result(None)
                await self._turns()
        self._move_to(until)
        await self._turns()

    def next_timer(self) -> float | None:
        """Return the monotonic time at which the next waiting task is due; None if none waits."""
        while self._timers and self._timers[0][2].done():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def shift(self, seconds: float) -> None:
        """Step the wall clock alone, forward or back, as an operator or NTP may."""
        self._origin += timedelta(seconds=seconds)

    def _timer(self, seconds: float) -> asyncio.Future[None]:
        timer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._timers, (self._monotonic + seconds, next(self._order), timer))
        return timer

    def _move_to(self, monotonic: float) -> None:
        self._monotonic = max(self._monotonic, monotonic)

    async def _turns(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
