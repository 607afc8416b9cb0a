"""All lanes of one process, and when each goes.

Each group costs the database and us the same few round trips, however little it carries. So the
lanes that carry little go together, in one transaction at a time; one that carries much goes by
itself beside them, as does one that was held up: who has a bucket's head for long holds up its own
lane and no other (docs/decisions/0030).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import chain

from tidings.domain import limits
from tidings.domain.buckets import lane_of
from tidings.domain.log_entry import Appended
from tidings.ports import Clock
from tidings.storage.clock_bound import ClockBound
from tidings.storage.postgres.appender import Appender, HeldUp
from tidings.storage.postgres.connection import Database
from tidings.storage.postgres.days import Days
from tidings.storage.postgres.lane import Lane, Waiting


class Lanes:
    """The lanes of one process, and its appenders: as many as there are transactions at once."""

    def __init__(
        self, database: Database, clock: Clock, days: Days, announce: Callable[[Appended], None]
    ) -> None:
        self.database = database
        self.clock = clock
        self.bound = ClockBound(clock)
        self._days = days
        self._announce = announce
        self._hints = False
        self._lanes = [Lane(self._woken) for _ in range(limits.POSTGRES_LANES)]
        self._idle: list[Appender] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._together = False
        self._is_woken = False

    def of(self, bucket: int) -> Lane:
        """Return the lane that a bucket belongs to."""
        return self._lanes[lane_of(bucket, len(self._lanes))]

    def hint(self, *, wanted: bool) -> None:
        """Have headers built for watchers, or not."""
        self._hints = wanted

    def appender(self) -> Appender:
        """Return an appender that is idle, or a new one."""
        if self._idle:
            return self._idle.pop()
        return Appender(self.database, self.clock, self.bound, self._days, self._announce)

    async def close(self) -> None:
        """Commit what is queued, and hang up. A second call waits for the first."""
        for lane in self._lanes:
            lane.is_closed = True
        while self._is_woken or self._under_way:
            await asyncio.gather(*self._under_way, asyncio.sleep(0))
        while self._idle:
            await self._idle.pop().close()

    def _woken(self) -> None:
        """Look at the lanes once a turn of the loop: what it brings in goes together."""
        if not self._is_woken:
            self._is_woken = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        """Let go what may: each lane that goes alone, and all others in one transaction."""
        self._is_woken = False
        quiet: list[Lane] = []
        for lane in self._lanes:
            if lane.is_ready and lane.goes_alone:
                self._let_go([lane], together=False)
            elif lane.is_ready:
                quiet.append(lane)
        if quiet and not self._together:
            self._let_go(quiet, together=True)

    def _let_go(self, lanes: Sequence[Lane], *, together: bool) -> None:
        self._together = self._together or together
        groups = {lane: lane.take() for lane in lanes}
        task = asyncio.create_task(self._settle(groups, together=together), name="tidings-lanes")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _settle(self, groups: Mapping[Lane, list[Waiting]], *, together: bool) -> None:
        appender = self.appender()
        appender.hints = self._hints
        try:
            await appender.settle([*chain(*groups.values())], patient=not together)
        except HeldUp:
            for lane, group in groups.items():
                lane.put_back(group)
        finally:
            self._idle.append(appender)
            for lane in groups:
                lane.busy = False
            if together:
                self._together = False
            self._woken()
