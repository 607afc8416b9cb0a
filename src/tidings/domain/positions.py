"""Positions: places in a bucket's log that are also times (mechanics L2).

`position = max(last + 1, now_ms * 1024)`, under the bucket's head lock. A position is therefore an
instant in 1/1024 ms, retention is a range of positions, and all stay below 2^53 until the year
2248, so they are safe as JSON numbers.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tidings.domain.instants import from_milliseconds, to_milliseconds

PER_MILLISECOND = 1024
"""Positions in a millisecond: more changes than that in one bucket run ahead of the clock."""

PER_MINUTE = 60_000 * PER_MILLISECOND

DAY_MS = 86_400_000


def next_position(last: int, now_ms: int) -> int:
    """Return the first position that an append may give, after `last`, at `now_ms`."""
    return max(last + 1, now_ms * PER_MILLISECOND)


def position_at(instant: datetime) -> int:
    """Return the first position that a change committed at `instant` can have."""
    return to_milliseconds(instant) * PER_MILLISECOND


def instant_of(position: int) -> datetime:
    """Return the instant, to the millisecond, that a position stands for."""
    return from_milliseconds(position // PER_MILLISECOND)


def previous_day_start(now: datetime) -> int:
    """Return the position at which the previous UTC day began: where quiet tokens go (P2)."""
    day = datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=1)
    return position_at(day)
