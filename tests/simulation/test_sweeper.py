"""When sweeps come, how much each does, and which do nothing (mechanics L8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.simulation.world import World
from tidings import telemetry
from tidings.domain import limits
from tidings.domain.lifecycle import STEPS, Stage
from tidings.engine.sweeper import Sweeper
from tidings.errors import StorageUnavailable
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = await World.open(tmp_path / "tidings.db")
    yield opened
    await opened.close()


class Tidying:
    """A chore that wishes to be called again after some seconds; it fails where it has none."""

    def __init__(self, name: str, pause: float | None) -> None:
        self.name = name
        self.pause = pause
        self.ran_at: list[datetime] = []

    async def run_once(self, now: datetime) -> float:
        self.ran_at.append(now)
        if self.pause is None:
            raise StorageUnavailable("locked")
        return self.pause


async def skip(world: World, span: timedelta) -> None:
    """Let time pass as if it had been swept all along, but for the steps."""
    await world.clock.advance(span.total_seconds())
    time = await world.storage.lifecycle.time()
    assert await world.storage.lifecycle.keep_time(time, time.paused)


async def test_a_sweep_comes_each_minute_and_sooner_where_a_step_is_due_sooner(
    world: World,
) -> None:
    assert await world.sweeper.run_once() == limits.SWEEP_SECONDS
    await world.register()
    assert await world.sweeper.run_once() == limits.SWEEP_SECONDS
    await skip(world, STEPS[0].after - timedelta(seconds=12.345))
    assert await Sweeper(world.storage.lifecycle, world.clock).run_once() == 12.345


@pytest.mark.parametrize("ahead_seconds", [-40.0, 40.0])
async def test_the_databases_clock_says_when_a_step_is_due_and_not_the_sweepers(
    world: World, ahead_seconds: float
) -> None:
    await world.register()
    await skip(world, STEPS[0].after - timedelta(seconds=20))
    elsewhere = ManualClock(world.clock.now() + timedelta(seconds=ahead_seconds))
    assert await Sweeper(world.storage.lifecycle, elsewhere).run_once() == 20


async def test_a_webhook_takes_one_step_in_a_sweep_however_late_it_comes(world: World) -> None:
    webhook = await world.register()
    await skip(world, STEPS[-1].after)
    sweeper, stages = Sweeper(world.storage.lifecycle, world.clock), []
    while (
        held := await world.storage.webhooks.get(webhook.bucket, webhook.webhook_id)
    ) is not None:
        stages.append(held.stage)
        await sweeper.run_once()
    assert stages == list(Stage)


async def test_a_sweep_moves_no_more_than_its_share_and_the_next_comes_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SWEEP_BATCH", 5)
    monkeypatch.setattr(limits, "SWEEP_BATCHES", 3)
    webhooks = [await world.register() for _ in range(40)]
    await skip(world, STEPS[0].after)
    sweeper = Sweeper(world.storage.lifecycle, world.clock)
    moved = []
    while await sweeper.run_once() == 0:
        rows = await world.storage.webhooks.current(
            {webhooks[0].bucket: [webhook.webhook_id for webhook in webhooks]}
        )
        moved.append([row.stage for row in rows.values()].count(Stage.WARNED))
    assert moved == [15, 30]


async def test_chores_are_called_when_they_wish_to_be(world: World) -> None:
    often, rarely = Tidying("often", 0.5), Tidying("rarely", 3_600)
    sweeper = Sweeper(world.storage.lifecycle, world.clock, (often, rarely))
    began = world.clock.now()
    for _ in range(3):
        pause = await sweeper.run_once()
        assert pause == 0.5
        await world.clock.advance(pause)
    assert [(at - began).total_seconds() for at in often.ran_at] == [0, 0.5, 1]
    assert rarely.ran_at == [began]


async def test_a_chore_that_fails_is_logged_and_keeps_nobody_else(world: World) -> None:
    broken, whole = Tidying("broken", None), Tidying("whole", 3_600)
    sweeper = Sweeper(world.storage.lifecycle, world.clock, (broken, whole))
    with capture_logs() as logs:
        assert await sweeper.run_once() == limits.SWEEP_SECONDS
    assert [(log["event"], log["worker"]) for log in logs] == [(telemetry.WORKER_FAILED, "broken")]
    assert len(whole.ran_at) == 1
    await world.clock.advance(limits.SWEEP_SECONDS)
    await sweeper.run_once()
    assert len(broken.ran_at) == 2


async def test_a_sweep_after_downtime_does_no_chores_and_takes_no_steps(world: World) -> None:
    webhook = await world.register()
    await skip(world, STEPS[0].after)
    chore = Tidying("tidying", 3_600)
    sweeper = Sweeper(world.storage.lifecycle, world.clock, (chore,))
    await world.clock.advance(limits.DOWNTIME_SECONDS + 1)
    assert await sweeper.run_once() == limits.SWEEP_SECONDS
    held = await world.storage.webhooks.get(webhook.bucket, webhook.webhook_id)
    assert held is not None
    assert held.stage is Stage.ACTIVE
    assert chore.ran_at == []
    began = world.clock.now()
    while not chore.ran_at:
        await world.clock.advance(limits.SWEEP_SECONDS)
        await sweeper.run_once()
    waited = (chore.ran_at[0] - began).total_seconds()
    assert waited == limits.CHORES_AFTER_DOWNTIME_SECONDS


async def test_a_clock_far_ahead_keeps_chores_from_running(world: World) -> None:
    chore = Tidying("tidying", 0)
    sweeper = Sweeper(world.storage.lifecycle, world.clock, (chore,))
    await sweeper.run_once()
    world.clock.shift(limits.CLOCK_AHEAD_SECONDS + 0.001)
    await sweeper.run_once()
    assert len(chore.ran_at) == 1
