"""The webhooks' part of the storage contract (mechanics L7, P4)."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from tidings.domain.buckets import bucket_of
from tidings.domain.dispatch import BucketSettlement, DispatchState
from tidings.domain.filter import ApplicationFilter, ApplicationsFilter
from tidings.domain.kinds import CONTROL, Kind
from tidings.domain.positions import position_at
from tidings.domain.webhook import DisabledReason, Notifications, Stamp, Webhook
from tidings.errors import AlreadyExists, NotFound, RevisionConflict
from tidings.ports import Storage
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import (
    ACCOUNT,
    attempt,
    debt,
    entry,
    publish,
    read_note,
    webhook,
)
from tidings.testing.storage_setting import StorageSetting


async def _controls(storage: Storage, of: Webhook) -> list[int]:
    headers = await storage.log.read_tail({of.bucket: 0}, 1_000)
    return [
        header.position
        for header in headers
        if header.kind == CONTROL and header.subject == of.webhook_id
    ]


class WebhookContract(StorageSetting):
    """ports.WebhookStore."""

    async def test_a_webhook_comes_back_as_it_was_stored(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        wish = msgspec.structs.replace(
            webhook(clock, wanted=ApplicationFilter("t", ("f", "g")), kinds=(Kind.FIELD_DELETED,)),
            notifications=Notifications(
                enabled=False,
                url="https://example.test/ü",
                reason=DisabledReason.DELIVERY_FAILED,
                disabled_at=clock.now(),
                last_error="410",
            ),
            previous_secret="whsec_b2xk",  # noqa: S106 - of no real endpoint
            previous_secret_expires_at=clock.now() + timedelta(hours=24),
        )
        stored = await storage.webhooks.create(wish, start_at=None)
        assert await storage.webhooks.get(stored.bucket, stored.webhook_id) == stored
        given = {"start_position": 0, "created_position": 0, "extended_at": None}
        assert msgspec.structs.replace(stored, **given) == wish

    async def test_a_webhook_starts_at_its_control_entry(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        before = await storage.log.append(publish(entry()))
        stored = await storage.webhooks.create(webhook(clock), start_at=None)
        after = await storage.log.append(publish(entry()))
        assert before.last_position is not None
        assert after.first_position is not None
        assert before.last_position < stored.start_position < after.first_position
        assert await _controls(storage, stored) == [stored.start_position]
        assert stored.created_position == stored.start_position

    async def test_start_at_takes_in_what_was_committed_from_that_instant_on(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        await storage.log.append(publish(entry("before")))
        await clock.advance(60)
        start_at = clock.now()
        at_it = await storage.log.append(publish(entry("at it")))
        await clock.advance(60)
        stored = await storage.webhooks.create(webhook(clock), start_at=start_at)
        assert stored.start_position == position_at(start_at) - 1
        assert at_it.first_position == stored.start_position + 1
        assert await _controls(storage, stored) == [stored.created_position]

    async def test_an_id_that_is_taken_is_refused(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        wish = webhook(clock)
        await storage.webhooks.create(wish, start_at=None)
        with pytest.raises(AlreadyExists):
            await storage.webhooks.create(wish, start_at=None)

    async def test_an_unknown_webhook_is_none(self, storage: Storage, clock: ManualClock) -> None:
        unknown = webhook(clock)
        assert await storage.webhooks.get(unknown.bucket, unknown.webhook_id) is None
        assert await storage.webhooks.tracked(unknown.bucket, unknown.webhook_id) is None
        assert await storage.webhooks.revisions(unknown.bucket, unknown.webhook_id) == ()

    async def test_what_a_webhook_covers_changes_at_a_position(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        first = await storage.webhooks.create(webhook(clock), start_at=None)
        narrowed = msgspec.structs.replace(first, filter=ApplicationsFilter(("t",)))
        second = await storage.webhooks.update(narrowed)
        third = await storage.webhooks.update(
            msgspec.structs.replace(second, kinds=(Kind.RECORD_CREATED,))
        )
        revisions = await storage.webhooks.revisions(first.bucket, first.webhook_id)
        assert [(held.filter, held.kinds) for held in revisions] == [
            (first.filter, first.kinds),
            (second.filter, first.kinds),
            (second.filter, third.kinds),
        ]
        assert [held.from_position for held in revisions] == await _controls(storage, first)

    async def test_a_change_of_the_endpoint_alone_makes_no_revision_but_a_control_entry(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await storage.webhooks.create(webhook(clock), start_at=None)
        await clock.advance(5)
        moved = msgspec.structs.replace(
            stored,
            notifications=Notifications(enabled=True, url="https://example.test/moved"),
            updated=Stamp("mover", clock.now()),
        )
        updated = await storage.webhooks.update(moved)
        assert updated == msgspec.structs.replace(moved, revision=stored.revision + 1)
        assert await storage.webhooks.get(stored.bucket, stored.webhook_id) == updated
        assert len(await storage.webhooks.revisions(stored.bucket, stored.webhook_id)) == 1
        assert len(await _controls(storage, stored)) == 2

    async def test_a_writer_that_read_an_older_row_is_refused(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await storage.webhooks.create(webhook(clock), start_at=None)
        await storage.webhooks.update(stored)
        with pytest.raises(RevisionConflict):
            await storage.webhooks.update(stored)
        assert len(await _controls(storage, stored)) == 2

    async def test_a_deleted_webhook_is_gone_with_its_rows_but_not_its_control_entries(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await storage.webhooks.create(webhook(clock), start_at=None)
        bucket = stored.bucket
        epochs = await storage.dispatch.take([bucket], "me", 10)
        await storage.dispatch.note_reads([read_note(stored, clock.now(), 7)])
        await storage.dispatch.add_attempts([attempt(stored, clock.now())])
        await storage.dispatch.settle(
            [
                BucketSettlement(
                    bucket=bucket,
                    epoch=epochs[bucket],
                    checkpoint=1,
                    states=(
                        DispatchState(
                            bucket=bucket, webhook_id=stored.webhook_id, matched=1, notified=1
                        ),
                    ),
                    debts=(debt(stored, clock.now()),),
                )
            ]
        )
        await storage.webhooks.delete(stored)
        left = await storage.dispatch.load(bucket)
        assert (left.webhooks, left.states, left.debts) == ((), (), ())
        assert await storage.webhooks.get(bucket, stored.webhook_id) is None
        assert await storage.webhooks.revisions(bucket, stored.webhook_id) == ()
        assert await storage.dispatch.attempts_of(bucket, stored.webhook_id, 10) == []
        assert len(await _controls(storage, stored)) == 2

    async def test_what_is_gone_can_be_neither_updated_nor_deleted(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await storage.webhooks.create(webhook(clock), start_at=None)
        await storage.webhooks.delete(stored)
        with pytest.raises(NotFound):
            await storage.webhooks.update(stored)
        with pytest.raises(NotFound):
            await storage.webhooks.delete(stored)
        assert len(await _controls(storage, stored)) == 2

    async def test_an_account_s_webhooks_are_listed_in_the_order_of_their_creation(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        made = [
            await storage.webhooks.create(webhook(clock, solution=f"s{n % 3}"), start_at=None)
            for n in range(7)
        ]
        await storage.webhooks.create(webhook(clock, account="other"), start_at=None)
        listed = await storage.webhooks.list_of_account(ACCOUNT, solution=None, after=0, limit=100)
        assert [placed.webhook for placed in listed] == made
        of_one = await storage.webhooks.list_of_account(ACCOUNT, solution="s1", after=0, limit=100)
        assert list(of_one) == listed[1::3]

    async def test_a_walk_over_the_list_survives_the_deletion_of_its_place(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        made = [await storage.webhooks.create(webhook(clock), start_at=None) for _ in range(5)]
        listed = await storage.webhooks.list_of_account(ACCOUNT, solution=None, after=0, limit=5)
        await storage.webhooks.delete(made[1])
        rest = await storage.webhooks.list_of_account(
            ACCOUNT, solution=None, after=listed[1].place, limit=2
        )
        assert list(rest) == listed[2:4]

    async def test_a_place_whose_webhook_is_gone_is_not_given_again(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        for _ in range(2):
            await storage.webhooks.create(webhook(clock), start_at=None)
        first, last = await storage.webhooks.list_of_account(
            ACCOUNT, solution=None, after=0, limit=9
        )
        await storage.webhooks.delete(last.webhook)
        await clock.advance(1)
        new = await storage.webhooks.create(webhook(clock), start_at=None)
        for after, expected in ((last.place, [new]), (0, [first.webhook, new])):
            rest = await storage.webhooks.list_of_account(
                ACCOUNT, solution=None, after=after, limit=9
            )
            assert [placed.webhook for placed in rest] == expected

    async def test_current_returns_those_that_exist_now(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        kept = await storage.webhooks.create(webhook(clock), start_at=None)
        gone = await storage.webhooks.create(webhook(clock), start_at=None)
        await storage.webhooks.delete(gone)
        found = await storage.webhooks.current(
            {kept.bucket: [kept.webhook_id, gone.webhook_id, "unknown"]}
        )
        assert found == {kept.webhook_id: kept}

    async def test_current_answers_for_many_buckets_at_once(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        made = [
            await storage.webhooks.create(webhook(clock, account=account), start_at=None)
            for account in ("acme", "globex", "initech")
        ]
        wanted = {one.bucket: [one.webhook_id] for one in made[:2]}
        strange = {made[0].bucket: [made[2].webhook_id]}
        assert len({one.bucket for one in made}) == 3
        assert await storage.webhooks.current(wanted) == {one.webhook_id: one for one in made[:2]}
        assert await storage.webhooks.current(strange) == {}
        assert await storage.webhooks.current({}) == {}

    async def test_a_tracked_webhook_is_unread_from_its_start(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await storage.webhooks.create(webhook(clock), start_at=None)
        tracked = await storage.webhooks.tracked(stored.bucket, stored.webhook_id)
        assert tracked is not None
        assert (tracked.read_position, tracked.listed_by) == (stored.start_position, None)
        assert (tracked.enabled, tracked.url) == (True, stored.notifications.url)
        revisions = await storage.webhooks.revisions(stored.bucket, stored.webhook_id)
        assert tracked.revisions == revisions
        assert stored.bucket == bucket_of(stored.account, stored.solution)
