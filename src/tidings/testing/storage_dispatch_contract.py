"""Dispatch's part of the storage contract (mechanics D1, D2, D6)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tidings.domain.dispatch import BucketSettlement, DispatchState
from tidings.errors import LeaseLost, TidingsError
from tidings.ports import Storage
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import attempt, debt, read_note, webhook
from tidings.testing.storage_setting import StorageSetting


class DispatchContract(StorageSetting):
    """ports.DispatchStore."""

    async def test_a_lease_is_exclusive_until_it_ends(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        assert await storage.dispatch.take([1, 2], "one", 10) == {1: 1, 2: 1}
        assert await storage.dispatch.take([1, 2, 3], "two", 10) == {3: 1}
        await clock.advance(10)
        assert await storage.dispatch.take([1, 2], "two", 10) == {1: 2, 2: 2}

    async def test_each_take_raises_the_epoch_also_one_s_own(self, storage: Storage) -> None:
        await storage.dispatch.take([1], "one", 10)
        assert await storage.dispatch.take([1], "one", 10) == {1: 2}

    async def test_a_server_with_proof_takes_what_its_dead_predecessor_holds(
        self, storage: Storage
    ) -> None:
        await storage.dispatch.take([1], "dead", 10)
        assert await storage.dispatch.take([1], "next", 10) == {}
        taken = await storage.dispatch.take([1], "next", 10, predecessor_gone=True)
        assert taken == {1: 2}

    async def test_a_renewed_lease_lasts_longer_and_a_lost_one_is_not_renewed(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        epochs = await storage.dispatch.take([1, 2], "one", 10)
        await clock.advance(9)
        assert await storage.dispatch.renew("one", epochs, 10) == {1, 2}
        await clock.advance(9)
        assert await storage.dispatch.take([1, 2], "two", 10) == {}
        await clock.advance(2)
        await storage.dispatch.take([2], "two", 10)
        assert await storage.dispatch.renew("one", epochs, 10) == {1}

    async def test_a_released_lease_is_free_at_once_and_stays_released(
        self, storage: Storage
    ) -> None:
        epochs = await storage.dispatch.take([1], "one", 10)
        await storage.dispatch.release("one", epochs)
        assert await storage.dispatch.renew("one", epochs, 10) == frozenset()
        assert await storage.dispatch.take([1], "two", 10) == {1: 2}
        await storage.dispatch.release("one", epochs)
        assert await storage.dispatch.take([1], "three", 10) == {}

    async def test_debts_states_and_checkpoint_move_together(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        owed = await storage.webhooks.create(webhook(clock), start_at=None)
        bucket = owed.bucket
        epoch = (await storage.dispatch.take([bucket], "me", 10))[bucket]
        state = DispatchState(
            bucket=bucket,
            webhook_id=owed.webhook_id,
            matched=7,
            notified=5,
            reminders=3,
            remind_at=clock.now() + timedelta(hours=2),
            noticed=4,
        )
        due = debt(owed, clock.now() + timedelta(seconds=10), owed_through=7)
        due = replace(due, revision=2, ended_at=clock.now())
        settlement = BucketSettlement(
            bucket=bucket, epoch=epoch, checkpoint=7, states=(state,), debts=(due,)
        )
        assert await storage.dispatch.settle([settlement]) == frozenset()
        loaded = await storage.dispatch.load(bucket)
        assert (loaded.checkpoint, loaded.states, loaded.debts) == (7, (state,), (due,))
        state = replace(state, notified=7, reminders=0, remind_at=None, noticed=6)
        due = replace(due, revision=3, ended_at=None)
        await storage.dispatch.settle([replace(settlement, states=(state,), debts=(due,))])
        loaded = await storage.dispatch.load(bucket)
        assert (loaded.states, loaded.debts) == ((state,), (due,))
        paid = BucketSettlement(bucket=bucket, epoch=epoch, checkpoint=9, paid=(owed.webhook_id,))
        await storage.dispatch.settle([paid])
        loaded = await storage.dispatch.load(bucket)
        assert (loaded.checkpoint, loaded.states, loaded.debts) == (9, (state,), ())

    async def test_a_settlement_that_can_t_be_stored_moves_no_checkpoint(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        owed = await storage.webhooks.create(webhook(clock), start_at=None)
        bucket = owed.bucket
        epoch = (await storage.dispatch.take([bucket], "me", 10))[bucket]
        broken = debt(owed, clock.now(), owed_through=1 << 70)
        with pytest.raises(TidingsError):
            await storage.dispatch.settle(
                [BucketSettlement(bucket=bucket, epoch=epoch, checkpoint=7, debts=(broken,))]
            )
        assert (await storage.dispatch.load(bucket)).checkpoint == 0

    async def test_a_holder_whose_epoch_is_over_settles_nothing(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        owed = await storage.webhooks.create(webhook(clock), start_at=None)
        bucket, other = owed.bucket, (owed.bucket + 1) % 256
        paused = await storage.dispatch.take([bucket, other], "paused", 10)
        await clock.advance(11)
        epoch = (await storage.dispatch.take([bucket], "next", 10))[bucket]
        kept = debt(owed, clock.now())
        await storage.dispatch.settle(
            [BucketSettlement(bucket=bucket, epoch=epoch, checkpoint=5, debts=(kept,))]
        )
        left_out = await storage.dispatch.settle(
            [
                BucketSettlement(
                    bucket=bucket, epoch=paused[bucket], checkpoint=9, paid=(owed.webhook_id,)
                ),
                BucketSettlement(bucket=other, epoch=paused[other], checkpoint=9),
            ]
        )
        assert left_out == {bucket}
        loaded = await storage.dispatch.load(bucket)
        assert (loaded.checkpoint, loaded.debts) == (5, (kept,))
        assert (await storage.dispatch.load(other)).checkpoint == 9

    async def test_a_holder_whose_epoch_is_over_changes_no_webhook(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await storage.webhooks.create(webhook(clock), start_at=None)
        bucket, off = stored.bucket, replace(stored.notifications, enabled=False)
        paused = (await storage.dispatch.take([bucket], "paused", 10))[bucket]
        disabled = replace(stored, notifications=off)
        await clock.advance(11)
        epoch = (await storage.dispatch.take([bucket], "next", 10))[bucket]
        with pytest.raises(LeaseLost):
            await storage.webhooks.update(disabled, epoch=paused)
        assert await storage.webhooks.get(bucket, stored.webhook_id) == stored
        updated = await storage.webhooks.update(disabled, epoch=epoch)
        assert not updated.notifications.enabled

    async def test_rows_of_webhooks_that_are_gone_are_left_out_silently(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        gone = webhook(clock)
        bucket = gone.bucket
        epoch = (await storage.dispatch.take([bucket], "me", 10))[bucket]
        state = DispatchState(bucket=bucket, webhook_id=gone.webhook_id, matched=1, notified=1)
        settlement = BucketSettlement(
            bucket=bucket,
            epoch=epoch,
            checkpoint=1,
            states=(state,),
            debts=(debt(gone, clock.now()),),
            paid=(gone.webhook_id,),
        )
        assert await storage.dispatch.settle([settlement]) == frozenset()
        await storage.dispatch.note_reads([read_note(gone, clock.now(), 1)])
        await storage.dispatch.add_attempts([attempt(gone, clock.now())])
        loaded = await storage.dispatch.load(bucket)
        assert (loaded.checkpoint, loaded.states, loaded.debts) == (1, (), ())
        assert await storage.dispatch.attempts_of(bucket, gone.webhook_id, 10) == []

    async def test_a_new_holder_loads_all_webhooks_of_the_bucket(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        enabled = await storage.webhooks.create(webhook(clock), start_at=None)
        second = await storage.webhooks.create(webhook(clock), start_at=None)
        off = replace(second.notifications, enabled=False)
        await storage.webhooks.update(replace(second, notifications=off))
        loaded = await storage.dispatch.load(enabled.bucket)
        expected = [
            await storage.webhooks.tracked(held.bucket, held.webhook_id)
            for held in sorted((enabled, second), key=lambda held: held.webhook_id)
        ]
        assert list(loaded.webhooks) == expected
        assert {held.enabled for held in loaded.webhooks} == {True, False}

    async def test_what_was_read_never_moves_back(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await storage.webhooks.create(webhook(clock), start_at=None)
        start, early = stored.start_position, clock.now()
        await clock.advance(60)
        late = clock.now()
        await storage.dispatch.note_reads([read_note(stored, late, start + 90, key_id="late")])
        await storage.dispatch.note_reads([read_note(stored, early, start + 10, key_id="early")])
        tracked = await storage.webhooks.tracked(stored.bucket, stored.webhook_id)
        found = await storage.webhooks.get(stored.bucket, stored.webhook_id)
        assert tracked is not None
        assert found is not None
        assert (tracked.read_position, tracked.listed_by) == (start + 90, "late")
        assert found.last_listed_at == late
        assert found.revision == stored.revision

    async def test_whoever_holds_a_lease_is_seen_by_all_until_it_ends(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        epochs = await storage.dispatch.take([1, 2], "one", 10)
        await storage.dispatch.take([3], "two", 5)
        assert await storage.dispatch.held() == {1: "one", 2: "one", 3: "two"}
        await clock.advance(5)
        await storage.dispatch.release("one", {1: epochs[1]})
        assert await storage.dispatch.held() == {2: "one"}

    async def test_a_read_note_is_handed_to_another_process_once_and_the_last_of_a_webhook(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        one, two = webhook(clock), webhook(clock)
        first = read_note(one, clock.now(), 5)
        await clock.advance(1)
        last = replace(read_note(one, clock.now(), 7), has_more=True, asked=5)
        other = read_note(two, clock.now(), 6)
        await storage.dispatch.tell_reads([last, other])
        await storage.dispatch.tell_reads([first])
        told = await storage.dispatch.take_told([one.bucket])
        if storage.capabilities.sole_server:
            assert list(told) == []
        else:
            assert sorted(told, key=lambda note: note.read_position) == [other, last]
        assert list(await storage.dispatch.take_told([one.bucket])) == []

    async def test_the_newest_attempts_come_first(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await storage.webhooks.create(webhook(clock), start_at=None)
        other = await storage.webhooks.create(webhook(clock), start_at=None)
        made = []
        for number in range(5):
            await clock.advance(1)
            made.append(attempt(stored, clock.now(), covered=number))
        await storage.dispatch.add_attempts([*made, attempt(other, clock.now())])
        found = await storage.dispatch.attempts_of(stored.bucket, stored.webhook_id, 3)
        assert list(found) == made[:1:-1]
