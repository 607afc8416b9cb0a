"""The periodic work of the clock: what time does to webhooks, and other chores (mechanics L8).

One round is a sweep. It stores its time first; what it may do then hangs on how that went.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from tidings import telemetry
from tidings.domain import limits
from tidings.domain.lifecycle import STEPS, Stage, Step
from tidings.domain.sweep import is_ahead, lag
from tidings.errors import TidingsError
from tidings.ports import Clock, LifecycleStore

_EVENTS = {
    Stage.WARNED: telemetry.WEBHOOK_WARNED,
    Stage.EXPIRED: telemetry.WEBHOOK_EXPIRED,
    Stage.LAST_WARNED: telemetry.WEBHOOK_WARNED,
    None: telemetry.WEBHOOK_DELETED,
}


class Chore(Protocol):
    """Other work of the sweeps, such as retention: in short rounds, since the others wait."""

    name: str

    async def run_once(self, now: datetime) -> float:
        """Do what is due at `now`; return the seconds until it wants to be called again."""


class Sweeper:
    """Sweeps each minute, and sooner where something is due sooner. A Worker.

    Nothing is moved, deleted or done by a sweep that comes after downtime, nor by a clock that has
    jumped too far ahead. Chores wait for a while longer then: what they drop by a clock that turns
    out to be wrong doesn't come back.
    """

    name = "sweeper"

    def __init__(self, store: LifecycleStore, clock: Clock, chores: Sequence[Chore] = ()) -> None:
        self.wake = asyncio.Event()
        self._store = store
        self._clock = clock
        self._chores = [_Due(chore) for chore in chores]
        self._last: tuple[datetime, float] | None = None
        self._ahead = False

    @property
    def hindrance(self) -> str | None:
        """Why nothing is swept now, as a sentence; None where all is well."""
        return "the server's clock runs over an hour ahead" if self._ahead else None

    async def run_once(self) -> float:
        """Sweep; return the seconds until the next sweep is due."""
        started = self._clock.monotonic()
        time = await self._store.time()
        self._ahead = self._is_ahead(time.now, started)
        if self._ahead:
            telemetry.logger().error(telemetry.CLOCK_AHEAD, now=time.now.isoformat())
            return limits.SWEEP_SECONDS
        behind = lag(time)
        if not await self._store.keep_time(time, behind):
            return 0.0
        self._last = (time.now, started)
        if behind != time.paused:
            seconds = (behind - time.paused).total_seconds()
            telemetry.logger().warning(telemetry.SWEEP_PAUSED, seconds=seconds)
            for chore in self._chores:
                chore.put_off(started + limits.CHORES_AFTER_DOWNTIME_SECONDS)
            return limits.SWEEP_SECONDS
        until_step = await self._until_next_step(time.now, started)
        if until_step <= 0 and not await self._take_steps():
            until_step = await self._until_next_step(time.now, started)
        wishes = [await chore.run_if_due(time.now, started) for chore in self._chores]
        return min(limits.SWEEP_SECONDS, until_step, *wishes)

    def _is_ahead(self, now: datetime, monotonic: float) -> bool:
        return self._last is not None and is_ahead(now, self._last[0], monotonic - self._last[1])

    async def _take_steps(self) -> bool:
        """Take what steps are due, the last stage's first, so that no webhook takes two at once.

        Returns whether more are due than one sweep may take.
        """
        return any([await self._take(step) for step in reversed(STEPS)])

    async def _take(self, step: Step) -> bool:
        for _ in range(limits.SWEEP_BATCHES):
            batch = await self._store.step(step, limits.SWEEP_BATCH)
            for moved in batch.moved:
                telemetry.logger().info(
                    _EVENTS[moved.entered], webhook_id=moved.webhook_id, account=moved.account
                )
            if not batch.more:
                return False
        return True

    async def _until_next_step(self, swept_at: datetime, started: float) -> float:
        """Return the seconds until a step is due, by the clock that says so: the database's."""
        due_at = await self._store.next_due()
        if due_at is None:
            return limits.SWEEP_SECONDS
        since = self._clock.monotonic() - started
        return max(0.0, (due_at - swept_at).total_seconds() - since)


class _Due:
    """A chore, and when it wants to be called again."""

    def __init__(self, chore: Chore) -> None:
        self._chore = chore
        self._due = 0.0

    def put_off(self, until: float) -> None:
        """Don't run it before `until` (monotonic)."""
        self._due = max(self._due, until)

    async def run_if_due(self, now: datetime, monotonic: float) -> float:
        """Run it if its time has come; return the seconds until it comes again.

        One that raises is logged and tried again by the next sweep, and keeps nobody else.
        """
        if monotonic < self._due:
            return self._due - monotonic
        pause = limits.SWEEP_SECONDS
        try:
            pause = await self._chore.run_once(now)
        except TidingsError as error:
            telemetry.logger().warning(
                telemetry.WORKER_FAILED, worker=self._chore.name, error=error.message
            )
        except Exception:  # noqa: BLE001 - logged; one chore must not keep the others
            telemetry.logger().exception(telemetry.WORKER_FAILED, worker=self._chore.name)
        self._due = monotonic + pause
        return pause
