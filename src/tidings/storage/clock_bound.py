"""How far ahead the clock may run before it isn't believed any more (mechanics L8)."""

from __future__ import annotations

from datetime import datetime, timedelta

from tidings.domain import limits
from tidings.domain.sweep import is_ahead
from tidings.ports import Clock


class ClockBound:
    """Knows the time of the last sweep that this process made, or saw another one make.

    Before the first of both there is no bound: a time that was stored earlier says nothing of a
    clock, since nobody may have swept for days. Kept in the event loop, and asked in a writer's
    thread too.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: tuple[datetime, float] | None = None
        self._seen: datetime | None = None

    def see(self, swept_at: datetime | None) -> None:
        """Take note of the time that is stored: one that changed was stored just now."""
        if swept_at is not None and swept_at != self._seen:
            if self._seen is not None:
                self.keep(swept_at)
            self._seen = swept_at

    def keep(self, swept_at: datetime) -> None:
        """Take note of a sweep's time, just stored."""
        self._kept = (swept_at, self._clock.monotonic())
        self._seen = swept_at

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
