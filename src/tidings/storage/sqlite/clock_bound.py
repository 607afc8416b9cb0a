"""How far ahead the clock may run before nothing more is appended by it (mechanics L8)."""

from __future__ import annotations

from datetime import datetime

from tidings.domain.sweep import is_ahead
from tidings.ports import Clock


class ClockBound:
    """Knows the last sweep's time of this process; before its first sweep there is no bound.

    Kept in the event loop, asked in the writer's thread.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: tuple[datetime, float] | None = None

    def keep(self, swept_at: datetime) -> None:
        """Take note of a sweep's time, just stored."""
        self._kept = (swept_at, self._clock.monotonic())

    def is_passed(self, now: datetime) -> bool:
        """Whether `now` is too far ahead."""
        kept = self._kept
        return kept is not None and is_ahead(now, kept[0], self._clock.monotonic() - kept[1])
