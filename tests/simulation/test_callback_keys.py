"""Webhooks whose creating key is revoked: they are called no more (contract 2.2, 2.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.simulation.sheets import SheetWorld
from tidings.domain.sheet_webhook import SheetStatus
from tidings.testing.storage_samples import api_key

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SheetWorld]:
    opened = await SheetWorld.open(tmp_path / "tidings.db")
    yield opened
    await opened.close()


async def new_key(world: SheetWorld) -> str:
    """Make a key; return its id."""
    key = api_key(world.clock)
    await world.storage.keys.create(key)
    return key.key_id


async def test_from_the_revoking_on_nothing_is_sent_also_after_a_restart(world: SheetWorld) -> None:
    key_id = await new_key(world)
    webhook = await world.call(key_id=key_id)
    await world.run(1)
    await world.delete_rows(1)
    await world.run(3)
    await world.storage.keys.revoke(key_id, world.clock.now())
    await world.delete_rows(2)
    await world.run(3)
    assert await world.status_of(webhook) is SheetStatus.DISABLED_APP_REVOKED
    await world.crash()
    await world.start()
    await world.delete_rows(3)
    await world.run(3)
    assert world.rows() == [1]


async def test_another_webhook_that_wants_the_same_takes_over(world: SheetWorld) -> None:
    key_id = await new_key(world)
    await world.call(key_id=key_id)
    other = await world.call()
    await world.run(1)
    await world.delete_rows(1)
    await world.run(3)
    await world.storage.keys.revoke(key_id, world.clock.now())
    await world.delete_rows(2)
    await world.run(3)
    await world.delete_rows(3)
    await world.run(3)
    assert world.rows() == [1, 2, 3], "without loss or repetition"
    assert world.callbacks()[-1].json["webhookId"] == int(other.webhook_id)
