"""What retention leaves alone: pings, walks and keys go on, also after weeks without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.simulation.world import World
from tidings.domain import limits
from tidings.domain.buckets import bucket_of
from tidings.testing.storage_samples import page_query, whole_log

pytestmark = pytest.mark.anyio

URL = "https://endpoint.example/hook"
BUCKET = bucket_of("acme", "crm")
DAY = 24 * 3_600.0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = await World.open(tmp_path / "tidings.db")
    yield opened
    await opened.close()


async def test_a_server_that_was_down_for_16_days_pings_for_what_comes_then(world: World) -> None:
    """Its checkpoint lies behind the retained log, and the log's last entry is gone."""
    await world.register(URL)
    await world.run(2)
    await world.publish()
    await world.crash()
    world.clock.shift(16 * DAY)
    await world.storage.retention.raise_floor(world.clock.now())
    while await world.storage.retention.drop_entries():
        pass
    assert await whole_log(world.storage.log, BUCKET) == []
    await world.start()
    await world.run(5)
    sent = len(world.sender.to(URL))
    receipt = await world.publish()
    await world.run(5)
    assert len(world.sender.to(URL)) == sent + 1
    state = await world.storage.dispatch.load(BUCKET)
    assert state.checkpoint == receipt.last_position


async def test_nothing_is_dropped_for_a_while_after_a_downtime(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that is wrong at the start looks like one, and what is dropped doesn't come back."""
    monkeypatch.setattr(limits, "CHORES_AFTER_DOWNTIME_SECONDS", 2 * limits.SWEEP_SECONDS)
    await world.publish(3)
    await world.run(2)
    await world.crash()
    world.clock.shift(16 * DAY)
    await world.start()
    await world.run(2 * limits.SWEEP_SECONDS - 1)
    assert len((await world.storage.log.read_page(page_query())).entries) == 3
    await world.run(1 + limits.SWEEP_SECONDS)
    assert (await world.storage.log.read_page(page_query())).entries == ()


async def test_sweeps_drop_events_after_15_days_and_not_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DOWNTIME_SECONDS", DAY)
    await world.publish()
    for _ in range(limits.LOG_DAYS):
        await world.clock.advance(DAY)
        await world.sweeper.run_once()
    assert len((await world.storage.log.read_page(page_query())).entries) == 1
    await world.clock.advance(limits.SWEEP_SECONDS)
    await world.sweeper.run_once()
    assert (await world.storage.log.read_page(page_query())).entries == ()
