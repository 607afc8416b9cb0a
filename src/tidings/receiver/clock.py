"""What the receiver asks of a clock; `tidings.clock.SystemClock` is the machine's own."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time and dice, so that tests can own both."""

    def now(self) -> datetime:
        """Return the present: aware, UTC, whole milliseconds."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    async def wait(self, event: asyncio.Event, timeout_seconds: float) -> bool:
        """Return True once `event` is set, or False after `timeout_seconds`."""

    def entropy(self, size: int) -> bytes:
        """Return `size` bytes that nobody can guess."""

    def draw(self) -> float:
        """Return a number in [0, 1)."""
