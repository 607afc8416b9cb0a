"""A wire that is cut after n bytes, for many n: what was under way is done whole, or not (L4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tidings.clock import SystemClock
from tidings.domain.buckets import bucket_of
from tidings.domain.dispatch import BucketSettlement, DispatchState
from tidings.errors import StorageUnavailable
from tidings.storage.postgres import PostgresStorage, open_postgres
from tidings.testing.storage_samples import (
    ACCOUNT,
    SOLUTION,
    debt,
    entry,
    publish,
    webhook,
    whole_log,
)

from .cut_wires import CutWire
from .postgres_setting import PostgresDatabase

pytestmark = pytest.mark.anyio

CLOCK = SystemClock()
BUCKET = bucket_of(ACCOUNT, SOLUTION)
STRIDES = {True: 31, False: 11}
"""Bytes from one cut to the next, of questions and of answers: each message is cut somewhere."""
CUTS_LEAST = 15
DIRECTIONS = pytest.mark.parametrize("toward_database", [True, False], ids=["questions", "answers"])


@pytest.fixture
async def wire(postgres: PostgresDatabase) -> AsyncIterator[CutWire]:
    async with CutWire(postgres.url) as wire:
        yield wire


@pytest.fixture
async def storage(wire: CutWire, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PostgresStorage]:
    monkeypatch.setattr("tidings.domain.limits.DATABASE_RETRY_WAIT_SECONDS", 0.001)
    storage = await open_postgres(wire.url, CLOCK, serve=True)
    yield storage
    await storage.close()


@DIRECTIONS
async def test_an_append_that_is_cut_after_any_byte_is_stored_once(
    storage: PostgresStorage, wire: CutWire, *, toward_database: bool
) -> None:
    await storage.log.append(publish(entry("0"), entry("0 too")))
    answered = []
    for number in range(1, 1_000):
        wire.cut_after(number * STRIDES[toward_database], toward_database=toward_database)
        entries = (entry(f"{number}"), entry(f"{number} too"))
        receipt = await storage.log.append(publish(*entries, key_is_new=bool(number % 2)))
        answered.append(receipt.first_position)
        if wire.cuts < number:
            break  # it was over before so many bytes had passed
    assert wire.cuts > CUTS_LEAST
    wire.cut_after(None, toward_database=toward_database)
    log = await whole_log(storage.log, BUCKET)
    names = [name for _, name in log]
    assert names == [name for n in range(len(answered) + 1) for name in (f"{n}", f"{n} too")]
    assert [position for position, _ in log[2::2]] == answered


@DIRECTIONS
async def test_a_settlement_that_is_cut_after_any_byte_is_whole_or_not_there(
    storage: PostgresStorage, wire: CutWire, *, toward_database: bool
) -> None:
    owed = await storage.webhooks.create(webhook(CLOCK), start_at=None)
    epoch = (await storage.dispatch.take([owed.bucket], "me", 600))[owed.bucket]

    async def settle(number: int) -> None:
        state = DispatchState(
            bucket=owed.bucket, webhook_id=owed.webhook_id, matched=number, notified=0
        )
        due = debt(owed, CLOCK.now() + timedelta(seconds=10), owed_through=number)
        settlement = BucketSettlement(
            bucket=owed.bucket, epoch=epoch, checkpoint=number, states=(state,), debts=(due,)
        )
        assert await storage.dispatch.settle([settlement]) == frozenset()

    async def stored() -> set[int]:
        found = await storage.dispatch.load(owed.bucket)
        matched, owing = found.states[0].matched, found.debts[0].owed_through
        return {found.checkpoint, matched, owing}

    await settle(1)
    for number in range(2, 1_000):
        wire.cut_after(number * STRIDES[toward_database], toward_database=toward_database)
        try:
            await settle(number)
        except StorageUnavailable:
            wire.cut_after(None, toward_database=toward_database)
            seen = await stored()
            assert seen in ({number - 1}, {number})
            await settle(number)
        else:
            break  # it was over before so many bytes had passed
        assert await stored() == {number}
    assert wire.cuts > CUTS_LEAST
