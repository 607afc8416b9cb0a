"""The lifecycle's part of the storage contract (contract 1.7; mechanics L7, L8, P7)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from tidings.domain.dispatch import EXPIRES_SOON, BucketSettlement, DispatchState, Notice
from tidings.domain.kinds import CONTROL
from tidings.domain.lifecycle import STEPS, Stage, deletes_at, expires_at, step_out_of
from tidings.domain.sweep import lag
from tidings.domain.webhook import Webhook
from tidings.errors import ClockAhead, NotFound, StorageUnavailable
from tidings.ports import Storage
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import (
    attempt,
    debt,
    entry,
    page_query,
    publish,
    read_note,
    webhook,
)
from tidings.testing.storage_setting import StorageSetting

_MILLISECOND = timedelta(milliseconds=1)


async def _created(storage: Storage, clock: ManualClock) -> Webhook:
    return await storage.webhooks.create(webhook(clock), start_at=None)


async def _found(storage: Storage, of: Webhook) -> Webhook | None:
    return await storage.webhooks.get(of.bucket, of.webhook_id)


async def _controls(storage: Storage, of: Webhook) -> int:
    headers = await storage.log.read_tail({of.bucket: 0}, 1_000)
    return sum(h.kind == CONTROL and h.subject == of.webhook_id for h in headers)


async def _sweep(storage: Storage) -> list[str]:
    """Keep the time and take every step that is due; return who moved."""
    time = await storage.lifecycle.time()
    assert await storage.lifecycle.keep_time(time, lag(time))
    moved: list[str] = []
    for step in reversed(STEPS):
        batch = await storage.lifecycle.step(step, 100)
        moved.extend(one.webhook_id for one in batch.moved)
    return moved


async def _pass(storage: Storage, clock: ManualClock, until: datetime) -> None:
    """Let time pass as if it had been swept all along, but for the steps."""
    await clock.advance((until - clock.now()).total_seconds())
    time = await storage.lifecycle.time()
    assert await storage.lifecycle.keep_time(time, time.paused)


class LifecycleContract(StorageSetting):
    """ports.LifecycleStore."""

    async def test_each_step_is_taken_when_it_is_due_and_not_before(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await _created(storage, clock)
        for step in STEPS:
            due_at = stored.created.at + step.after
            assert await storage.lifecycle.next_due() == due_at
            await _pass(storage, clock, due_at - _MILLISECOND)
            assert await _sweep(storage) == []
            await clock.advance(0.001)
            assert await _sweep(storage) == [stored.webhook_id]
            found = await _found(storage, stored)
            assert (found and found.stage) == step.enters
            assert (found and found.staged_at) == (clock.now() if step.enters else None)
        assert await storage.lifecycle.next_due() is None

    async def test_a_step_raises_the_revision_and_appends_a_control_entry(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await _created(storage, clock)
        await _pass(storage, clock, stored.created.at + step_out_of(Stage.ACTIVE).after)
        await _sweep(storage)
        found = await _found(storage, stored)
        assert found is not None
        assert found.revision == stored.revision + 1
        assert found.updated == stored.updated
        assert await _controls(storage, stored) == 2

    async def test_a_warning_stands_with_the_number_of_its_revision_until_the_next_step(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await _created(storage, clock)
        notices: list[Notice | None] = []
        for step in STEPS[:-1]:
            await _pass(storage, clock, stored.created.at + step.after)
            await _sweep(storage)
            tracked = await storage.webhooks.tracked(stored.bucket, stored.webhook_id)
            found = await _found(storage, stored)
            assert tracked is not None
            assert found is not None
            assert found.notice == tracked.notice
            assert tracked.enabled == (tracked.stage is Stage.WARNED)
            notices.append(tracked.notice)
        assert notices == [
            Notice(EXPIRES_SOON, expires_at(stored.created.at), 2),
            None,
            Notice(EXPIRES_SOON, deletes_at(stored.created.at), 4),
        ]

    async def test_a_webhook_that_was_listed_is_put_off(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await _created(storage, clock)
        await _pass(storage, clock, stored.created.at + timedelta(days=1))
        await storage.dispatch.note_reads([read_note(stored, clock.now(), 1)])
        await _pass(storage, clock, stored.created.at + step_out_of(Stage.ACTIVE).after)
        assert await _sweep(storage) == []
        due_at = stored.created.at + timedelta(days=1) + step_out_of(Stage.ACTIVE).after
        assert await storage.lifecycle.next_due() == due_at

    async def test_reads_lead_back_from_each_stage(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await _created(storage, clock)
        for step in STEPS[:-1]:
            await _pass(storage, clock, stored.created.at + step.after)
            await _sweep(storage)
            stage = step.enters
            assert (await _found(storage, stored) or stored).stage == stage
        assert await storage.dispatch.note_reads([read_note(stored, clock.now(), 1)]) == [
            stored.webhook_id
        ]
        found = await _found(storage, stored)
        assert found is not None
        assert (found.stage, found.extended_at) == (Stage.ACTIVE, clock.now())
        assert found.notice is None
        assert found.revision == stored.revision + 4
        assert await storage.dispatch.note_reads([read_note(stored, clock.now(), 1)]) == []

    async def test_the_last_step_leaves_nothing_of_a_webhook_but_its_control_entries(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await _created(storage, clock)
        bucket = stored.bucket
        epochs = await storage.dispatch.take([bucket], "holder", 10)
        state = DispatchState(bucket=bucket, webhook_id=stored.webhook_id, matched=1, notified=1)
        owed = BucketSettlement(
            bucket=bucket,
            epoch=epochs[bucket],
            checkpoint=1,
            states=(state,),
            debts=(debt(stored, clock.now()),),
        )
        await storage.dispatch.settle([owed])
        await storage.dispatch.add_attempts([attempt(stored, clock.now())])
        await storage.log.append(publish(entry("kept")))
        for step in STEPS:
            await _pass(storage, clock, stored.created.at + step.after)
            await _sweep(storage)
        loaded = await storage.dispatch.load(bucket)
        assert (loaded.webhooks, loaded.states, loaded.debts) == ((), (), ())
        assert await storage.webhooks.revisions(bucket, stored.webhook_id) == ()
        assert await storage.dispatch.attempts_of(bucket, stored.webhook_id, 10) == []
        account = stored.account
        listed = await storage.webhooks.list_of_account(account, solution=None, after=0, limit=10)
        assert listed == []
        subjects = [h.subject for h in await storage.log.read_tail({bucket: 0}, 100)]
        assert subjects == [stored.webhook_id, "kept", *[stored.webhook_id] * 4]

    async def test_of_the_last_step_and_a_racing_listing_exactly_one_wins(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        for ahead in (timedelta(0), _MILLISECOND):
            stored = await _created(storage, clock)
            for step in STEPS[:-1]:
                await _pass(storage, clock, stored.created.at + step.after)
                await _sweep(storage)
            await _pass(storage, clock, deletes_at(stored.created.at) - ahead)
            batch, extended = await asyncio.gather(
                storage.lifecycle.step(STEPS[-1], 100),
                storage.lifecycle.extend(stored.bucket, stored.webhook_id, "key"),
                return_exceptions=True,
            )
            assert not isinstance(batch, BaseException)
            deleted = [moved.webhook_id for moved in batch.moved] == [stored.webhook_id]
            assert deleted == isinstance(extended, NotFound) == (not ahead)
            assert (await _found(storage, stored) is None) == deleted

    async def test_a_listing_past_the_end_comes_too_late_before_any_sweep(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await _created(storage, clock)
        await _pass(storage, clock, deletes_at(stored.created.at))
        with pytest.raises(NotFound):
            await storage.lifecycle.extend(stored.bucket, stored.webhook_id, "key")
        assert await _sweep(storage) == [stored.webhook_id]  # one step at a time

    async def test_a_listing_that_was_never_noted_before_counts_from_now(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await _created(storage, clock)
        await _pass(storage, clock, stored.created.at + timedelta(days=6, hours=12))
        assert not await storage.lifecycle.extend(stored.bucket, stored.webhook_id, "key")
        tracked = await storage.webhooks.tracked(stored.bucket, stored.webhook_id)
        assert tracked is not None
        assert tracked.extended_at == clock.now()
        assert (tracked.read_position, tracked.listed_by) == (stored.start_position, "key")

    async def test_a_pause_moves_every_limit_by_its_length(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        await _sweep(storage)
        one = await _created(storage, clock)
        await _pass(storage, clock, clock.now() + timedelta(hours=1))
        other = await _created(storage, clock)
        for hours in (200, -100):
            clock.shift(3_600 * hours)
            time = await storage.lifecycle.time()
            assert lag(time) - time.paused == timedelta(hours=hours)
            assert await storage.lifecycle.keep_time(time, lag(time))
        for stored in (one, other):
            found = await _found(storage, stored)
            assert found is not None
            assert found.extended_at == stored.created.at + timedelta(hours=100)

    async def test_what_is_made_or_listed_after_a_pause_counts_from_then(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        await _sweep(storage)
        old = await _created(storage, clock)
        await clock.advance(timedelta(days=3).total_seconds())
        await _sweep(storage)
        new = await _created(storage, clock)
        await storage.dispatch.note_reads([read_note(old, clock.now(), 1)])
        for stored in (old, new):
            found = await _found(storage, stored)
            assert found is not None
            assert found.extended_at == clock.now()

    async def test_a_listing_before_the_sweep_that_will_find_a_gap_isnt_too_late(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        await _sweep(storage)
        stored = await _created(storage, clock)
        await clock.advance(timedelta(days=30).total_seconds())
        assert await storage.lifecycle.extend(stored.bucket, stored.webhook_id, "key") is False

    async def test_the_time_is_kept_by_one_of_two_sweeps(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        time = await storage.lifecycle.time()
        assert await storage.lifecycle.keep_time(time, time.paused)
        assert not await storage.lifecycle.keep_time(time, time.paused + timedelta(hours=1))
        assert (await storage.lifecycle.time()).paused == time.paused

    async def test_nothing_is_appended_by_a_clock_over_an_hour_ahead_of_the_sweeps(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await _created(storage, clock)
        await _sweep(storage)
        await clock.advance(30)
        clock.shift(3_600)
        assert (await storage.log.append(publish(entry()))).accepted == 1
        clock.shift(0.001)
        for refused in (
            storage.log.append(publish(entry())),
            _created(storage, clock),
            storage.webhooks.delete(stored),
            storage.lifecycle.extend(stored.bucket, stored.webhook_id, "key"),
        ):
            with pytest.raises(ClockAhead):
                await refused
        with pytest.raises(StorageUnavailable):  # what callers know it by
            await storage.log.append(publish(entry()))
        clock.shift(-3_600)
        assert (await storage.log.append(publish(entry()))).accepted == 1

    async def test_a_page_is_not_read_at_a_time_over_an_hour_ahead_of_the_sweeps(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """Its token would go by a day that is to come, and skip what is appended until then."""
        await _sweep(storage)
        await clock.advance(30)
        clock.shift(timedelta(days=3).total_seconds())
        page = await storage.log.read_page(page_query())
        clock.shift(-timedelta(days=3).total_seconds())
        assert page.read_at == clock.now() + timedelta(hours=1)

    async def test_a_step_looks_at_no_more_than_it_may_and_says_that_more_are_due(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        made = [await _created(storage, clock) for _ in range(5)]
        await storage.dispatch.note_reads([read_note(made[0], clock.now(), 1)])
        await _pass(storage, clock, clock.now() + STEPS[0].after)
        sizes = []
        while True:
            batch = await storage.lifecycle.step(STEPS[0], 2)
            sizes.append(len(batch.moved))
            if not batch.more:
                break
        assert sizes == [2, 2, 1]
