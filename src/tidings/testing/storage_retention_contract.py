"""The retention's part of the storage contract (mechanics L2, L7, P1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
import pytest

from tidings.domain import limits
from tidings.domain.buckets import bucket_of
from tidings.domain.filter import ApplicationsFilter
from tidings.domain.positions import position_at
from tidings.errors import InvalidArgument
from tidings.ports import Storage
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import (
    ACCOUNT,
    SOLUTION,
    attempt,
    bodies,
    entry,
    page_query,
    publish,
    webhook,
    whole_log,
)
from tidings.testing.storage_setting import StorageSetting

BUCKET = bucket_of(ACCOUNT, SOLUTION)
DAY_SECONDS = 86_400


async def all_batches(drop: Callable[[], Awaitable[int]]) -> int:
    """Drop batch after batch until nothing is left; return how many rows went."""
    dropped = 0
    while batch := await drop():
        dropped += batch
    return dropped


def of_one_day(storage: Storage, rows: int) -> int:
    """Return what dropping so many rows of a day that is over is counted as."""
    return 1 if storage.capabilities.whole_days else rows


class RetentionContract(StorageSetting):
    """ports.RetentionStore."""

    async def test_what_is_behind_the_floor_is_gone_for_readers_before_it_is_deleted(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        await storage.log.append(publish(entry("old")))
        await clock.advance(60)
        before = clock.now()
        kept = await storage.log.append(publish(entry("kept")))
        for _ in range(2):
            await storage.retention.raise_floor(before)
            page = await storage.log.read_page(page_query())
            assert (bodies(page), page.floor) == ([b"kept"], position_at(before) - 1)
            assert await whole_log(storage.log, BUCKET) == [(kept.first_position, "kept")]
            assert await all_batches(storage.retention.drop_entries) <= 1
        assert await all_batches(storage.retention.drop_entries) == 0

    async def test_entries_are_dropped_from_all_buckets_and_no_others(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        solutions = [f"s{n}" for n in range(9)]
        for old in (True, False):
            for solution in solutions:
                names = [entry(f"{old}{n}") for n in range(3)]
                await storage.log.append(publish(*names, solution=solution))
            if old:
                await clock.advance(DAY_SECONDS)
                before = clock.now()
        await storage.retention.raise_floor(before)
        assert await all_batches(storage.retention.drop_entries) == of_one_day(storage, 27)
        for solution in solutions:
            page = await storage.log.read_page(page_query(solution=solution))
            assert bodies(page) == [f"False{n}".encode() for n in range(3)]

    async def test_the_floor_never_goes_back(self, storage: Storage, clock: ManualClock) -> None:
        await storage.retention.raise_floor(clock.now())
        await storage.retention.raise_floor(clock.now() - timedelta(days=1))
        page = await storage.log.read_page(page_query())
        assert page.floor == position_at(clock.now()) - 1

    async def test_positions_and_tokens_go_on_behind_a_log_that_was_dropped_whole(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        first = await storage.log.append(publish(entry("first"), entry("last")))
        await clock.advance(DAY_SECONDS)
        await storage.retention.raise_floor(clock.now())
        assert await all_batches(storage.retention.drop_entries) == of_one_day(storage, 2)
        clock.shift(-3_600)
        again = await storage.log.append(publish(entry("again")))
        assert first.last_position is not None
        assert again.first_position is not None
        assert again.first_position > first.last_position
        page = await storage.log.read_page(page_query(after=first.last_position))
        assert bodies(page) == [b"again"]
        assert await whole_log(storage.log, BUCKET) == [(again.first_position, "again")]

    async def test_an_entry_from_a_clock_that_was_ahead_is_kept_for_its_time(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        clock.shift(13 * 3_600)
        ahead = await storage.log.append(publish(entry("ahead")))
        clock.shift(-13 * 3_600)
        await storage.log.append(publish(entry("elsewhere"), solution="other"))
        await clock.advance(12 * 3_600 + 60)
        await storage.retention.raise_floor(clock.now())
        assert await all_batches(storage.retention.drop_entries) == of_one_day(storage, 1)
        assert await whole_log(storage.log, BUCKET) == [(ahead.first_position, "ahead")]
        assert await whole_log(storage.log, bucket_of(ACCOUNT, "other")) == []

    async def test_a_walk_of_tokens_goes_on_over_what_is_dropped_meanwhile(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        for number in range(20):
            await clock.advance(1)
            await storage.log.append(publish(entry(f"{number:02}")))
        seen: list[bytes] = []
        token = 0
        start = clock.now() - timedelta(seconds=19)
        for dropped_until in (0, 1, 3, 8, 8, 17, 17):
            await storage.retention.raise_floor(start + timedelta(seconds=dropped_until))
            await all_batches(storage.retention.drop_entries)
            page = await storage.log.read_page(page_query(after=token, limit=3))
            seen += bodies(page)
            token = page.end
        kept = [*range(15), 17, 18, 19]
        assert seen == [f"{number:02}".encode() for number in kept]
        assert not page.has_more

    async def test_a_webhook_can_not_start_before_the_log(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        await storage.retention.raise_floor(clock.now())
        stored = await storage.webhooks.create(webhook(clock), start_at=clock.now())
        with pytest.raises(InvalidArgument) as caught:
            await storage.webhooks.create(
                webhook(clock), start_at=clock.now() - timedelta(milliseconds=1)
            )
        assert caught.value.argument == "webhook.start_at"
        listed = await storage.webhooks.list_of_account(ACCOUNT, solution=None, after=0, limit=9)
        assert [placed.webhook for placed in listed] == [stored]

    async def test_a_revision_is_kept_until_retention_has_passed_its_successor(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        held = await storage.webhooks.create(webhook(clock), start_at=None)
        other = await storage.webhooks.create(webhook(clock), start_at=None)
        for number in range(3):
            await clock.advance(60)
            held = await storage.webhooks.update(
                msgspec.structs.replace(held, filter=ApplicationsFilter((f"t{number}",)))
            )
        whole = await storage.webhooks.revisions(held.bucket, held.webhook_id)
        await storage.retention.raise_floor(clock.now())
        assert await all_batches(storage.retention.drop_revisions) == 2
        assert await storage.webhooks.revisions(held.bucket, held.webhook_id) == whole[2:]
        await clock.advance(60)
        await storage.retention.raise_floor(clock.now())
        assert await all_batches(storage.retention.drop_revisions) == 1
        assert await storage.webhooks.revisions(held.bucket, held.webhook_id) == whole[3:]
        assert len(await storage.webhooks.revisions(other.bucket, other.webhook_id)) == 1

    async def test_attempts_are_dropped_by_their_time(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        of = await storage.webhooks.create(webhook(clock), start_at=None)
        made = [attempt(of, clock.now() + timedelta(days=n), covered=n) for n in range(5)]
        await storage.dispatch.add_attempts(made)
        dropped = await all_batches(lambda: storage.retention.drop_attempts(made[3].attempted_at))
        assert dropped == 3
        left = await storage.dispatch.attempts_of(of.bucket, of.webhook_id, 10)
        assert list(left) == [made[4], made[3]]

    async def test_a_key_counts_for_its_time_whether_it_is_dropped_or_not(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        first = await storage.log.append(publish(entry("first"), key="k"))
        kept_for = timedelta(hours=limits.IDEMPOTENCY_HOURS)
        await clock.advance(kept_for.total_seconds() - 1)
        before = clock.now() - kept_for
        assert await all_batches(lambda: storage.retention.drop_idempotency_keys(before)) == 0
        assert await storage.log.append(publish(entry("first"), key="k")) == first
        await clock.advance(2)
        before = clock.now() - kept_for
        dropped = await all_batches(lambda: storage.retention.drop_idempotency_keys(before))
        assert dropped == (0 if storage.capabilities.whole_days else 1)
        await storage.log.append(publish(entry("anew"), key="k", sent=b"another body"))
        assert [name for _, name in await whole_log(storage.log, BUCKET)] == ["first", "anew"]
