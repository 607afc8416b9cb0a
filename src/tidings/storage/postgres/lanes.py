"""All lanes of one process, and what they share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tidings.domain import limits
from tidings.domain.buckets import lane_of
from tidings.domain.log_entry import Appended
from tidings.ports import Clock
from tidings.storage.clock_bound import ClockBound
from tidings.storage.postgres.connection import Database
from tidings.storage.postgres.days import Days
from tidings.storage.postgres.lane import Lane


class Lanes:
    """The appenders of one process: one a lane, each with a connection of its own (L3)."""

    def __init__(
        self, database: Database, clock: Clock, days: Days, announce: Callable[[Appended], None]
    ) -> None:
        self.database = database
        self.clock = clock
        self.bound = ClockBound(clock)
        self._lanes = [
            Lane(database, clock, self.bound, days, announce) for _ in range(limits.POSTGRES_LANES)
        ]

    def of(self, bucket: int) -> Lane:
        """Return the lane that commits a bucket."""
        return self._lanes[lane_of(bucket, len(self._lanes))]

    def hint(self, *, wanted: bool) -> None:
        """Have headers built for watchers, or not."""
        for lane in self._lanes:
            lane.hints = wanted

    async def close(self) -> None:
        """Commit what is queued, and hang up."""
        await asyncio.gather(*(lane.close() for lane in self._lanes))
