"""How several processes share dispatch on PostgreSQL: leases that fence, rows that end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from tidings.domain.buckets import bucket_of
from tidings.domain.dispatch import BucketSettlement, DispatchState
from tidings.domain.lifecycle import STEPS, Stage
from tidings.domain.webhook import Webhook
from tidings.storage.postgres import PostgresStorage
from tidings.testing.storage_samples import ACCOUNT, SOLUTION, debt, read_note, webhook

from .postgres_setting import HeldClock, PostgresDatabase

pytestmark = pytest.mark.anyio

BUCKET = bucket_of(ACCOUNT, SOLUTION)
FENCE = b"SELECT 1 FROM lease WHERE bucket = %d AND epoch = %d FOR KEY SHARE"
ORPHANS = (
    "SELECT count(*) FROM (SELECT bucket, webhook_id FROM dispatch_state UNION ALL "
    "SELECT bucket, webhook_id FROM debt UNION ALL SELECT bucket, webhook_id FROM reading) AS kept "
    "WHERE NOT EXISTS (SELECT 1 FROM webhook WHERE webhook.bucket = kept.bucket "
    "AND webhook.webhook_id = kept.webhook_id)"
)


@pytest.fixture
def database(held_postgres: PostgresDatabase) -> PostgresDatabase:
    held_postgres.clean()
    return held_postgres


@pytest.fixture
def clock(database: PostgresDatabase) -> Iterator[HeldClock]:
    clock = HeldClock(database.url)
    yield clock
    clock.close()


@pytest.fixture
async def storage(database: PostgresDatabase, clock: HeldClock) -> AsyncIterator[PostgresStorage]:
    storage = await database.open(clock)
    yield storage
    await storage.close()


def settlement(of: Webhook, clock: HeldClock, epoch: int) -> BucketSettlement:
    """Return a flush with a state and a debt."""
    state = DispatchState(bucket=of.bucket, webhook_id=of.webhook_id, matched=1, notified=1)
    return BucketSettlement(
        bucket=of.bucket,
        epoch=epoch,
        checkpoint=1,
        states=(state,),
        debts=(debt(of, clock.now()),),
    )


async def test_a_renewal_goes_by_who_fences_and_a_takeover_waits_for_him(
    database: PostgresDatabase, storage: PostgresStorage, clock: HeldClock
) -> None:
    epochs = await storage.dispatch.take([BUCKET], "paused", 10)
    with psycopg.connect(database.url) as holder:  # in the midst of a flush, and then paused
        holder.execute(FENCE % (BUCKET, epochs[BUCKET]))
        async with asyncio.timeout(5):
            assert await storage.dispatch.renew("paused", epochs, 10) == {BUCKET}
        await clock.advance(11)
        taking = asyncio.ensure_future(storage.dispatch.take([BUCKET], "next", 10))
        done, _ = await asyncio.wait([taking], timeout=0.05)
        assert not done
        holder.rollback()
    assert await taking == {BUCKET: epochs[BUCKET] + 1}
    late = BucketSettlement(bucket=BUCKET, epoch=epochs[BUCKET], checkpoint=9)
    assert await storage.dispatch.settle([late]) == {BUCKET}


async def test_of_many_that_take_the_same_leases_each_is_held_by_one(
    database: PostgresDatabase, storage: PostgresStorage, clock: HeldClock
) -> None:
    other = await database.open(clock, serve=False)
    try:
        for _ in range(5):
            await clock.advance(20)
            taken = await asyncio.gather(
                *(
                    one.dispatch.take(list(range(256)), name, 10)
                    for one, name in ((storage, "a"), (other, "b"), (storage, "c"))
                )
            )
            assert sorted(bucket for some in taken for bucket in some) == list(range(256))
    finally:
        await other.close()


async def test_a_flush_beside_a_deletion_leaves_no_row_without_its_webhook(
    database: PostgresDatabase, storage: PostgresStorage, clock: HeldClock
) -> None:
    epoch = (await storage.dispatch.take([BUCKET], "me", 1_000))[BUCKET]
    for _ in range(15):
        stored = await storage.webhooks.create(webhook(clock), start_at=None)
        await asyncio.gather(
            storage.dispatch.settle([settlement(stored, clock, epoch)]),
            storage.dispatch.note_reads([read_note(stored, clock.now(), 1)]),
            storage.webhooks.delete(stored),
        )
    with psycopg.connect(database.url) as connection:
        assert connection.execute(ORPHANS).fetchone() == (0,)


async def test_a_listing_beside_the_step_that_it_comes_before_wins_whole_or_is_led_back(
    storage: PostgresStorage, clock: HeldClock
) -> None:
    """Whichever commits first: what was listed isn't left warned, nor warned twice."""
    made = [await storage.webhooks.create(webhook(clock), start_at=None) for _ in range(12)]
    time = await storage.lifecycle.time()
    assert await storage.lifecycle.keep_time(time, time.paused)
    await clock.advance(STEPS[0].after.total_seconds())
    time = await storage.lifecycle.time()
    assert await storage.lifecycle.keep_time(time, time.paused)
    notes = [read_note(one, clock.now(), 1) for one in made]
    stepping = asyncio.ensure_future(storage.lifecycle.step(STEPS[0], 100))
    await asyncio.gather(*(storage.dispatch.note_reads([note]) for note in notes))
    batch = await stepping
    for one in made:
        found = await storage.webhooks.get(one.bucket, one.webhook_id)
        assert found is not None
        assert (found.stage, found.extended_at) == (Stage.ACTIVE, clock.now())
        moved = one.webhook_id in {moved.webhook_id for moved in batch.moved}
        assert found.revision == one.revision + (2 if moved else 0)
