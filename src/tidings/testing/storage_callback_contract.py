"""The callback webhooks' part of the storage contract (contract 2.2, 2.6; mechanics D5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tidings.domain.dispatch import BucketSettlement, CallbackCursor, PendingCallback, Place
from tidings.domain.kinds import CONTROL, Kind
from tidings.domain.lifecycle import STEPS
from tidings.domain.sheet_standing import scope_judged, sheet_of, stood
from tidings.domain.sheet_webhook import Contract, SheetStatus
from tidings.domain.webhook import Webhook
from tidings.errors import RevisionConflict
from tidings.ports import Storage
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import (
    ACCOUNT,
    SOLUTION,
    api_key,
    entry,
    publish,
    sheet_webhook,
    webhook,
)
from tidings.testing.storage_setting import StorageSetting


def _cursor(of: Webhook, acked: int) -> CallbackCursor:
    return CallbackCursor(bucket=of.bucket, webhook_id=of.webhook_id, acked=Place(acked))


async def _enabled(storage: Storage, clock: ManualClock, stored: Webhook) -> Webhook:
    return await storage.webhooks.update(stood(stored, SheetStatus.ENABLED, at=clock.now()))


class CallbackContract(StorageSetting):
    """What ports.WebhookStore and ports.DispatchStore hold of callback webhooks."""

    async def test_a_callback_webhook_comes_back_as_it_was_stored(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        wish = sheet_webhook(clock, columns=(5, 2**53 - 1))
        stored = await storage.webhooks.create(wish, start_at=None)
        assert stored.sheet == wish.sheet
        assert stored.contract is Contract.SMARTSHEET
        assert await storage.webhooks.get(stored.bucket, stored.webhook_id) == stored
        current = await storage.webhooks.current({stored.bucket: [stored.webhook_id]})
        assert current == {stored.webhook_id: stored}
        pinged = await storage.webhooks.create(webhook(clock), start_at=None)
        assert (pinged.sheet, pinged.contract) == (None, Contract.SMARTSUITE)

    async def test_what_changes_of_it_changes_with_its_row_and_a_control_entry(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await storage.webhooks.create(sheet_webhook(clock), start_at=None)
        await clock.advance(5)
        failed = SheetStatus.DISABLED_VERIFICATION_FAILED
        changed = stood(stored, failed, at=clock.now(), details="Request returned ü")
        renamed = replace(sheet_of(changed), name="other")
        changed = replace(changed, sheet=renamed, secret="new")  # noqa: S106 - of no real endpoint
        updated = await storage.webhooks.update(changed)
        assert await storage.webhooks.get(stored.bucket, stored.webhook_id) == updated
        sheet = sheet_of(updated)
        assert (sheet.name, sheet.status, sheet.disabled_details) == (
            "other",
            failed,
            "Request returned ü",
        )
        assert (sheet.status_at, updated.secret) == (clock.now(), "new")
        with pytest.raises(RevisionConflict):
            await storage.webhooks.update(changed)

    async def test_a_change_of_status_leaves_the_log_before_it_behind(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await storage.webhooks.create(sheet_webhook(clock), start_at=None)
        receipt = await storage.log.append(publish(entry()))
        assert receipt.last_position is not None
        enabled = await _enabled(storage, clock, stored)
        headers = await storage.log.read_tail({stored.bucket: receipt.last_position}, 10)
        assert [header.position for header in headers] == [sheet_of(enabled).scope_position]
        renamed = replace(enabled, sheet=replace(sheet_of(enabled), name="other"))
        same = await storage.webhooks.update(renamed)
        assert sheet_of(same).scope_position == sheet_of(enabled).scope_position
        position = sheet_of(enabled).scope_position + 7
        gone = scope_judged(same, gone=True, position=position, at=clock.now())
        gone = await storage.webhooks.update(gone)
        assert sheet_of(gone).scope_position == position
        assert sheet_of(gone).status_number == gone.revision
        assert await storage.webhooks.get(gone.bucket, gone.webhook_id) == gone

    async def test_each_contract_lists_only_its_own(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        called = [
            await storage.webhooks.create(sheet_webhook(clock, solution=f"s{n % 2}"), start_at=None)
            for n in range(5)
        ]
        pinged = await storage.webhooks.create(webhook(clock), start_at=None)
        await storage.webhooks.create(sheet_webhook(clock, account="other"), start_at=None)
        await storage.webhooks.delete(called.pop(2))
        listed = await storage.webhooks.list_of_account(ACCOUNT, solution=None, after=0, limit=9)
        assert [placed.webhook for placed in listed] == [pinged]
        newest_first = called[::-1]
        for skip, limit in ((0, 9), (0, 2), (2, 2), (3, 2), (4, 2)):
            part = await storage.webhooks.sheets_of_account(ACCOUNT, skip=skip, limit=limit)
            assert part.total == 4
            assert list(part.webhooks) == newest_first[skip : skip + limit]

    async def test_while_its_key_is_revoked_it_stands_so_without_a_write(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        key = api_key(clock)
        await storage.keys.create(key)
        stored = await storage.webhooks.create(
            sheet_webhook(clock, key_id=key.key_id), start_at=None
        )
        enabled = await _enabled(storage, clock, stored)
        await storage.keys.revoke(key.key_id, clock.now())
        current = await storage.webhooks.current({enabled.bucket: [enabled.webhook_id]})
        sheet = sheet_of(current[enabled.webhook_id])
        assert (sheet.standing, sheet.status) == (
            SheetStatus.DISABLED_APP_REVOKED,
            SheetStatus.ENABLED,
        )
        tracked = await storage.webhooks.tracked(enabled.bucket, enabled.webhook_id)
        assert tracked is not None
        assert (tracked.enabled, tracked.sheet) == (False, sheet)

    async def test_a_dispatcher_holds_it_with_its_own_part(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await storage.webhooks.create(sheet_webhook(clock, columns=(8,)), start_at=None)
        enabled = await _enabled(storage, clock, stored)
        tracked = await storage.webhooks.tracked(stored.bucket, stored.webhook_id)
        assert tracked is not None
        assert (tracked.enabled, tracked.contract) == (True, Contract.SMARTSHEET)
        assert tracked.sheet == enabled.sheet
        assert (await storage.dispatch.load(stored.bucket)).webhooks == (tracked,)

    async def test_no_sweep_ever_looks_at_it(self, storage: Storage, clock: ManualClock) -> None:
        stored = await storage.webhooks.create(sheet_webhook(clock), start_at=None)
        assert await storage.lifecycle.next_due() is None
        pinged = await storage.webhooks.create(webhook(clock), start_at=None)
        first = STEPS[0].after
        assert await storage.lifecycle.next_due() == pinged.created.at + first
        await storage.webhooks.delete(pinged)
        await clock.advance(400 * 24 * 3600)
        await storage.lifecycle.keep_time(await storage.lifecycle.time(), timedelta())
        for step in STEPS:
            batch = await storage.lifecycle.step(step, 100)
            assert batch.moved == ()
        assert await storage.webhooks.get(stored.bucket, stored.webhook_id) is not None

    async def test_cursors_are_written_with_the_settlement_and_loaded_with_the_bucket(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await storage.webhooks.create(sheet_webhook(clock), start_at=None)
        other = await storage.webhooks.create(sheet_webhook(clock), start_at=None)
        bucket, ids = stored.bucket, [stored.webhook_id, other.webhook_id]
        assert await storage.dispatch.cursors(bucket, ids) == {}
        epoch = (await storage.dispatch.take([bucket], "me", 10))[bucket]
        pending = PendingCallback(
            begins=Place(7, 2), ends=Place(9), nonce="n", built_at=clock.now()
        )
        first = replace(_cursor(stored, 7), acked=Place(7, 2), pending=pending)
        await storage.dispatch.settle(
            [BucketSettlement(bucket=bucket, epoch=epoch, checkpoint=9, cursors=(first,))]
        )
        assert await storage.dispatch.cursors(bucket, ids) == {stored.webhook_id: first}
        moved = replace(
            _cursor(stored, 9),
            acknowledged=101,
            challenged=100,
            told=3,
            last_attempt_at=clock.now(),
            last_attempt_failures=2,
            last_success_at=clock.now() - timedelta(seconds=1),
        )
        second = _cursor(other, 1)
        await storage.dispatch.settle(
            [BucketSettlement(bucket=bucket, epoch=epoch, checkpoint=9, cursors=(moved, second))]
        )
        by_id = sorted((moved, second), key=lambda cursor: cursor.webhook_id)
        assert list((await storage.dispatch.load(bucket)).cursors) == by_id

    async def test_a_holder_whose_epoch_is_over_moves_no_cursor(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await storage.webhooks.create(sheet_webhook(clock), start_at=None)
        bucket = stored.bucket
        paused = (await storage.dispatch.take([bucket], "paused", 10))[bucket]
        await clock.advance(11)
        epoch = (await storage.dispatch.take([bucket], "next", 10))[bucket]
        settled = BucketSettlement(
            bucket=bucket, epoch=epoch, checkpoint=5, cursors=(_cursor(stored, 5),)
        )
        await storage.dispatch.settle([settled])
        late = replace(settled, epoch=paused, cursors=(_cursor(stored, 9),))
        assert await storage.dispatch.settle([late]) == {bucket}
        assert (await storage.dispatch.load(bucket)).cursors == (_cursor(stored, 5),)

    async def test_a_deleted_callback_webhook_is_gone_with_its_cursor(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await storage.webhooks.create(sheet_webhook(clock), start_at=None)
        bucket = stored.bucket
        epoch = (await storage.dispatch.take([bucket], "me", 10))[bucket]
        settled = BucketSettlement(
            bucket=bucket, epoch=epoch, checkpoint=1, cursors=(_cursor(stored, 1),)
        )
        await storage.dispatch.settle([settled])
        await storage.webhooks.delete(stored)
        await storage.dispatch.settle([settled])  # a flush that was on its way
        loaded = await storage.dispatch.load(bucket)
        assert (loaded.webhooks, loaded.cursors) == ((), ())
        part = await storage.webhooks.sheets_of_account(ACCOUNT, skip=0, limit=9)
        assert (part.total, part.webhooks) == (0, [])
        headers = await storage.log.read_tail({bucket: 0}, 10)
        assert [header.kind for header in headers] == [CONTROL, CONTROL]

    async def test_a_sheet_that_is_registered_again_enables_what_its_deletion_disabled(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        number = 4509506114742148
        await storage.applications.register(ACCOUNT, SOLUTION, str(number), None)
        stored, other, off, elsewhere = [
            await storage.webhooks.create(wish, start_at=None)
            for wish in (
                sheet_webhook(clock, sheet=number),
                sheet_webhook(clock, sheet=7),
                sheet_webhook(clock, sheet=number),
                sheet_webhook(clock, sheet=number, account="other"),
            )
        ]
        gone = []
        for created in (stored, other, elsewhere):
            enabled = await _enabled(storage, clock, created)
            position = sheet_of(enabled).scope_position + 1
            judged = scope_judged(enabled, gone=True, position=position, at=clock.now())
            gone.append(await storage.webhooks.update(judged))
        await clock.advance(5)
        await storage.applications.register(ACCOUNT, SOLUTION, str(number), None)
        back = await storage.webhooks.get(stored.bucket, stored.webhook_id)
        assert back is not None
        assert back.notifications.enabled
        assert sheet_of(back).standing is SheetStatus.ENABLED
        assert sheet_of(back).status_number == back.revision == gone[0].revision + 1
        for untouched in (*gone[1:], off):
            found = await storage.webhooks.get(untouched.bucket, untouched.webhook_id)
            assert found == untouched

    async def test_a_deletion_before_a_registration_no_more_counts_though_it_waits_to_be_seen(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        stored = await storage.webhooks.create(sheet_webhook(clock, sheet=7), start_at=None)
        enabled = await _enabled(storage, clock, stored)
        other = await storage.webhooks.create(sheet_webhook(clock, sheet=7), start_at=None)
        other = await _enabled(storage, clock, other)
        deleted = await storage.log.append(
            publish(entry(kind=Kind.APPLICATION_DELETED, application="7"))
        )
        position = deleted.last_position
        assert position is not None
        gone = scope_judged(other, gone=True, position=position, at=clock.now())
        judged = await storage.webhooks.update(gone)
        await storage.applications.register(ACCOUNT, SOLUTION, "7", None)
        back = await storage.webhooks.get(judged.bucket, judged.webhook_id)
        assert back is not None
        assert (back.notifications.enabled, back.revision) == (True, judged.revision + 1)
        found = await storage.webhooks.get(stored.bucket, stored.webhook_id)
        assert found is not None
        assert scope_judged(found, gone=True, position=position, at=clock.now()) == found
        bucket = stored.bucket
        epoch = (await storage.dispatch.take([bucket], "me", 10))[bucket]
        settled = BucketSettlement(bucket=bucket, epoch=epoch, checkpoint=position + 99)
        await storage.dispatch.settle([settled])
        await storage.applications.register(ACCOUNT, SOLUTION, "7", None)
        assert await storage.webhooks.get(stored.bucket, stored.webhook_id) == found
        assert found.revision == enabled.revision + 1
