"""The only reader of real time and of randomness: everything else is given a Clock."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from datetime import datetime

from tidings.domain.instants import from_milliseconds

_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux's clock that runs on while the machine sleeps, as its monotonic one doesn't."""


class SystemClock:
    """The machine's clock and the kernel's entropy, as the Clock port."""

    def now(self) -> datetime:
        """Return the present, aware, UTC, cut to the millisecond."""
        return from_milliseconds(time.time_ns() // 1_000_000)

    def monotonic(self) -> float:
        """Return seconds that never go back, from an arbitrary start.

        Those in which the machine slept count: leases ended meanwhile, and a time of day that is
        two hours on is not one that jumped.
        """
        return time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(seconds)

    async def wait(self, event: asyncio.Event, timeout_seconds: float) -> bool:
        """Return True once `event` is set, False after `timeout_seconds`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await event.wait()
        except TimeoutError:
            return event.is_set()
        return True

    def entropy(self, size: int) -> bytes:
        """Return `size` bytes that nobody can guess."""
        return os.urandom(size)

    def draw(self) -> float:
        """Return a number in [0, 1): for jitter, not for secrets."""
        return random.random()  # noqa: S311 - jitter

    def wait_in_thread(self, event: threading.Event, timeout_seconds: float) -> bool:
        """Block this thread until `event` is set, at most so long; return whether it is."""
        return event.wait(timeout_seconds)

    def pause(self, seconds: float) -> None:
        """Block this thread for `seconds`: for the command line, never in an event loop."""
        time.sleep(seconds)
