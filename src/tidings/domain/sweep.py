"""The time that sweeps keep, so that downtime and a jumping clock shorten nothing (mechanics L8).

Lifecycle time is the wall clock less `paused`: a clock that stands still while no sweeper runs. A
gap between two sweeps that is too long, or goes back, is added to `paused` as it is, with its sign:
so each webhook has as much time left after it as before, wherever the clock stands now.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from tidings.domain import limits
from tidings.domain.lifecycle import Stage


class SweepTime(msgspec.Struct, frozen=True, kw_only=True):
    """What the last sweep stored, and the database's clock now."""

    now: datetime
    swept_at: datetime | None
    """None before the first sweep of all."""
    paused: timedelta


def pause_before(time: SweepTime) -> timedelta:
    """Return the downtime that a sweep finds before it: zero, or the whole gap with its sign."""
    if time.swept_at is None:
        return timedelta(0)
    gap = time.now - time.swept_at
    return gap if abs(gap.total_seconds()) > limits.DOWNTIME_SECONDS else timedelta(0)


def lag(time: SweepTime) -> timedelta:
    """Return how far lifecycle time lies behind the wall clock: all pauses, this one too."""
    return time.paused + pause_before(time)


def is_ahead(now: datetime, swept_at: datetime, elapsed_seconds: float) -> bool:
    """Whether a clock is too far ahead of the last sweep's time and what has passed since."""
    ahead = (now - swept_at).total_seconds() - elapsed_seconds
    return ahead > limits.CLOCK_AHEAD_SECONDS


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that took a step."""

    webhook_id: str
    account: str
    left: Stage
    entered: Stage | None
    """None: it was deleted."""


class MoveBatch(msgspec.Struct, frozen=True):
    """What one transaction of a sweep did."""

    moved: tuple[Moved, ...]
    more: bool
    """Whether others may be due for the same step."""
