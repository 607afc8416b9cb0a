"""Endpoints that are down for a day and back at once, in cohorts of 100 that share their fate.

Played by the product's own retry schedule. The slow pool's slots are as many hundredths as a cohort
is of webhooks: a cohort keeps one of them for as long as one attempt takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import msgspec

from bench.model.dice import Dice
from bench.model.queueing import Agenda, Station, percentile
from bench.model.world import World, solutions
from tidings.domain.limits import SENDS, SLOW_SHARE
from tidings.domain.retry import DAY_SECONDS, wait_before_retry

_COHORT = 100
_REFUSED_SECONDS = 0.05
_TIMED_OUT_SECONDS = 25.0
_ANSWERED_SECONDS = 0.1
_HOUR = 3_600.0


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one."""

    down: int
    attempts: int
    attempts_a_second_most: float
    """In the worst minute."""
    slots: int
    slots_utilisation: float
    """Of the day."""
    waited_p99_seconds: float
    """For a slot, beyond the schedule."""
    disabled: int
    notified_p50_minutes: float
    """After they were back."""
    notified_p99_minutes: float
    unread_events: float
    """That are to be read then."""


class _Cohort(msgspec.Struct):
    slow: bool
    failures: int = 0
    since: float = 0.0
    due_at: float = 0.0
    began_at: float = 0.0


class _Day:
    """A day of a storm, and the day after it."""

    def __init__(self, world: World, share: float, processes: int, seed: int) -> None:
        self._dice = Dice(seed)
        self._agenda = Agenda()
        self.slots = max(1, processes * SENDS // SLOW_SHARE)
        self.station = Station[_Cohort](
            self._agenda,
            servers=max(1, self.slots // _COHORT),
            seconds_of=self._attempt_seconds,
            served=self._ended,
        )
        self.down = self.attempts = self.disabled = 0
        self.unread = 0.0
        self.by_minute: dict[int, int] = {}
        self.waited: list[tuple[float, float]] = []
        self.notified: list[tuple[float, float]] = []
        for rate in _rates(world):
            if self._dice.uniform() < share:
                self.down += _COHORT
                self.unread += rate * DAY_SECONDS * _COHORT
                cohort = _Cohort(slow=self._dice.uniform() < 0.5)
                first = self._dice.exponential(1 / rate)
                if first < DAY_SECONDS:
                    self._agenda.plan(first, partial(self._due, cohort))

    def play(self) -> None:
        """Play both days."""
        self._agenda.run(2 * DAY_SECONDS + _HOUR)

    def _due(self, cohort: _Cohort) -> None:
        cohort.due_at = self._agenda.now
        self.station.put(cohort)

    def _attempt_seconds(self, cohorts: Sequence[_Cohort]) -> float:
        [cohort] = cohorts
        now = cohort.began_at = self._agenda.now
        self.attempts += _COHORT
        minute = int(now // 60)
        self.by_minute[minute] = self.by_minute.get(minute, 0) + _COHORT
        self.waited.append((now - cohort.due_at, 1.0))
        if now >= DAY_SECONDS:
            return _ANSWERED_SECONDS
        return _TIMED_OUT_SECONDS if cohort.slow else _REFUSED_SECONDS

    def _ended(self, cohorts: Sequence[_Cohort]) -> None:
        [cohort] = cohorts
        now = self._agenda.now
        if cohort.began_at >= DAY_SECONDS:
            self.notified.append(((now - DAY_SECONDS) / 60, 1.0))
            return
        cohort.failures += 1
        if cohort.failures == 1:
            cohort.since = now
        wait = wait_before_retry(
            cohort.failures, self._dice.uniform(), since_seconds=now - cohort.since
        )
        if wait is None:
            self.disabled += _COHORT
        else:
            self._agenda.plan(wait, partial(self._due, cohort))


def play_storm(world: World, *, share: float, processes: int, seed: int) -> Storm:
    """Play a day in which a share of all endpoints is down, and the day after."""
    day = _Day(world, share, processes, seed)
    day.play()
    return Storm(
        down=day.down,
        attempts=day.attempts,
        attempts_a_second_most=max(day.by_minute.values(), default=0) / 60,
        slots=day.slots,
        slots_utilisation=day.station.busy_seconds / DAY_SECONDS / max(1, day.slots // _COHORT),
        waited_p99_seconds=percentile(day.waited, 99),
        disabled=day.disabled,
        notified_p50_minutes=percentile(day.notified, 50),
        notified_p99_minutes=percentile(day.notified, 99),
        unread_events=day.unread,
    )


def _rates(world: World) -> Iterator[float]:
    """Yield each cohort's covered changes a second, by the mean of the day."""
    webhooks = covered = 0.0
    for solution in solutions(world):
        rate = world.changes_a_day / DAY_SECONDS * solution.share * world.covered
        left = solution.webhooks
        while left > 0:
            taken = min(left, _COHORT - webhooks)
            webhooks, covered, left = webhooks + taken, covered + taken * rate, left - taken
            if webhooks >= _COHORT - 1e-9:
                yield covered / webhooks
                webhooks = covered = 0.0
