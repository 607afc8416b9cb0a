"""Dispatchers that share one PostgreSQL database: how a bucket goes from one to the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from tests.simulation.endpoints import ScriptedSender
from tests.storage.postgres_setting import PostgresDatabase
from tidings.clock import SystemClock
from tidings.domain.buckets import BUCKETS, bucket_of
from tidings.engine.dispatch import Dispatch
from tidings.ports import Storage
from tidings.testing.storage_samples import ACCOUNT, entry, publish, read_note, webhook

pytestmark = pytest.mark.anyio

CLOCK = SystemClock()
URL = "https://example.test/hook"
LAST_HALF = next(
    name for name in map(str, range(1_000)) if bucket_of(ACCOUNT, name) >= BUCKETS // 2
)
"""A solution whose bucket the first of two dispatchers gives up."""
SENT_SECONDS = 10.0
"""For something to be sent: a second of pace, and a real database."""
LOOK_SECONDS = 0.01


class Holder:
    """A dispatcher whose workers are driven by hand, beside others on one database."""

    def __init__(self, storage: Storage, name: str) -> None:
        self.storage = storage
        self.sender = ScriptedSender(CLOCK.monotonic)
        self.dispatch = Dispatch(storage, self.sender, CLOCK, name)
        self._workers = {worker.name: worker for worker in self.dispatch.workers}

    async def work(self, *names: str) -> None:
        for name in names or ("dispatcher", "told-reads", "checkpointing"):
            await self._workers[name].run_once()

    async def work_until_sent(self, count: int) -> None:
        ends_at = CLOCK.monotonic() + SENT_SECONDS
        while len(self.sender.sent) < count:
            assert CLOCK.monotonic() < ends_at, f"{len(self.sender.sent)} of {count} sent"
            await self.work()
            await CLOCK.sleep(LOOK_SECONDS)


@asynccontextmanager
async def holder(database: PostgresDatabase, name: str) -> AsyncIterator[Holder]:
    storage = await database.open(CLOCK)
    one = Holder(storage, name)
    try:
        yield one
        await one.dispatch.stop()
    finally:
        await storage.close()


async def test_a_bucket_is_drained_written_down_and_only_then_another_s(
    postgres: PostgresDatabase,
) -> None:
    async with holder(postgres, "old") as old, holder(postgres, "new") as new:
        await old.dispatch.start()
        made = await old.storage.webhooks.create(webhook(CLOCK, solution=LAST_HALF), start_at=None)
        landed = old.sender.hold(URL)
        await old.storage.log.append(publish(entry(), solution=LAST_HALF))
        await old.work_until_sent(1)
        await new.dispatch.start()
        assert new.dispatch.leases.epochs == {}
        giving_up = asyncio.create_task(old.work("claims"))
        while not old.dispatch.dispatcher._schedule.leaving:
            await asyncio.sleep(0)
        assert set((await new.storage.dispatch.held()).values()) == {"old"}
        landed.set()
        await giving_up
        await new.work("claims")
        assert len(old.dispatch.leases.epochs) == len(new.dispatch.leases.epochs) == BUCKETS // 2
        assert made.bucket in new.dispatch.leases.epochs
        for _ in range(3):
            await new.work()
        assert new.sender.sent == [], "the old one wrote down that it was acknowledged"
        await old.storage.log.append(publish(entry(), solution=LAST_HALF))
        await new.work_until_sent(1)
        await old.work()
        assert len(old.sender.sent) == 1


async def test_a_page_that_another_process_listed_is_followed_by_a_ping(
    postgres: PostgresDatabase,
) -> None:
    async with holder(postgres, "one") as one:
        await one.dispatch.start()
        made = await one.storage.webhooks.create(webhook(CLOCK), start_at=None)
        receipt = await one.storage.log.append(publish(entry(), entry()))
        await one.work_until_sent(1)
        assert receipt.first_position is not None
        first = replace(read_note(made, CLOCK.now(), made.start_position), has_more=True)
        goes_on = replace(first, asked=made.start_position, read_position=receipt.first_position)
        for note in (first, goes_on):
            await one.storage.dispatch.tell_reads([note])
            await one.work("told-reads")
        await one.work_until_sent(2)
