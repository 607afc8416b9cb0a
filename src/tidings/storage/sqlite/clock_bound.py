"""How far ahead the clock may run before it isn't believed any more (mechanics L8)."""

from __future__ import annotations

from datetime import datetime, timedelta

from tidings.domain import limits
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

    def bounded(self, now: datetime) -> datetime:
        """Return `now`, or the latest time that is believed, if `now` is past it.

        For what is said by the clock though nothing is appended: the token of an empty page goes
        by the day (mechanics P2), and one of a wrong day would skip what is appended until then.
        """
        kept = self._kept
        if kept is None:
            return now
        elapsed = self._clock.monotonic() - kept[1]
        return min(now, kept[0] + timedelta(seconds=elapsed + limits.CLOCK_AHEAD_SECONDS))
