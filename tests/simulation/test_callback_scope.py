"""A sheet that is deleted and comes back (contract 2.5, 2.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.simulation.endpoints import ERROR, OK
from tests.simulation.sheets import ACCOUNT, SHEET, SOLUTION, URL, SheetWorld
from tidings.domain.sheet_standing import sheet_of
from tidings.domain.sheet_webhook import SheetStatus
from tidings.domain.signing import verify_callback
from tidings.domain.webhook import Webhook
from tidings.errors import StorageUnavailable
from tidings.ports import SendOutcome

pytestmark = pytest.mark.anyio

GONE = "DISABLED_SCOPE_INACCESSIBLE"


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SheetWorld]:
    opened = await SheetWorld.open(tmp_path / "tidings.db")
    monkeypatch.setattr(opened.clock, "draw", lambda: 0.5)
    yield opened
    await opened.close()


async def test_a_deleted_sheet_is_told_once_and_its_webhook_is_disabled(world: SheetWorld) -> None:
    webhook = await world.call()
    await world.run(2)
    deleted_at = world.clock.now()
    await world.delete_sheet()
    await world.run(60)
    (told,) = world.sender.sent
    assert "events" not in told.json
    assert told.json["newWebhookStatus"] == GONE
    assert told.json["webhookId"] == int(webhook.webhook_id)
    written = deleted_at.isoformat(timespec="milliseconds").replace("+00:00", "+0000")
    assert told.json["timestamp"] == written
    verify_callback([webhook.secret], told.headers, told.body)
    assert await world.status_of(webhook) is SheetStatus.DISABLED_SCOPE_INACCESSIBLE
    assert not (await world.row_of(webhook)).notifications.enabled


async def test_a_change_in_it_brings_it_back_which_is_told_before_the_events(
    world: SheetWorld,
) -> None:
    webhook = await world.call()
    await world.delete_rows(1)
    await world.run(0.5)
    await world.delete_sheet()
    await world.run(60)
    assert world.statuses() == [GONE]
    assert not world.rows(), "what waited is sent when it is back"
    await world.add_rows(2)
    await world.run(3)
    assert await world.status_of(webhook) is SheetStatus.ENABLED
    assert world.statuses() == [GONE, "ENABLED"]
    assert world.rows() == [1, 2]
    assert "newWebhookStatus" in world.sender.sent[1].json


async def test_a_change_that_a_subscope_leaves_out_brings_it_back_too(world: SheetWorld) -> None:
    webhook = await world.call(columns=(12,))
    await world.delete_sheet()
    await world.run(3)
    await world.publish_changes(
        {"kind": "RECORD_UPDATED", "record_id": "1", "data": {}, "changed_fields": ["11"]},
        sheet=SHEET + 1,
    )
    await world.run(3)
    assert await world.status_of(webhook) is SheetStatus.DISABLED_SCOPE_INACCESSIBLE
    await world.publish_changes(
        {"kind": "RECORD_UPDATED", "record_id": "1", "data": {}, "changed_fields": ["11"]}
    )
    await world.run(3)
    assert await world.status_of(webhook) is SheetStatus.ENABLED
    assert world.statuses() == [GONE, "ENABLED"]


async def test_registering_it_again_brings_it_back(world: SheetWorld) -> None:
    webhook = await world.call()
    await world.delete_sheet()
    await world.run(3)
    await world.storage.applications.register(ACCOUNT, SOLUTION, str(SHEET), None)
    await world.run(3)
    assert await world.status_of(webhook) is SheetStatus.ENABLED
    assert world.statuses() == [GONE, "ENABLED"]


async def test_deleted_and_published_to_in_one_publish_ends_enabled(world: SheetWorld) -> None:
    webhook = await world.call()
    await world.publish_changes(
        {"kind": "RECORD_DELETED", "record_id": "1"},
        {"kind": "APPLICATION_DELETED"},
        {"kind": "RECORD_DELETED", "record_id": "2"},
    )
    await world.run(5)
    assert await world.status_of(webhook) is SheetStatus.ENABLED
    assert world.statuses()[-1:] == ["ENABLED"]
    assert world.rows() == [1, 2]


async def test_a_status_change_keeps_its_bytes_over_tries_and_a_crash(world: SheetWorld) -> None:
    webhook = await world.call()
    world.sender.behave(URL, ERROR)
    await world.delete_sheet()
    await world.run(15)
    await world.crash()
    await world.start()
    await world.run(30)
    assert len(world.sender.sent) > 2
    assert len({sent.body for sent in world.sender.sent}) == 1
    world.sender.behave(URL, OK)
    await world.pass_time(300)
    tries = len(world.sender.sent)
    await world.pass_time(20_000)
    assert len(world.sender.sent) == tries
    assert await world.status_of(webhook) is SheetStatus.DISABLED_SCOPE_INACCESSIBLE


async def test_a_status_change_that_nobody_takes_is_left_untold_and_changes_nothing(
    world: SheetWorld,
) -> None:
    webhook = await world.call()
    world.sender.behave(URL, ERROR)
    await world.delete_sheet()
    await world.pass_time(80_000)
    assert len(world.sender.sent) == 15
    assert await world.status_of(webhook) is SheetStatus.DISABLED_SCOPE_INACCESSIBLE
    world.sender.behave(URL, OK)
    await world.delete_rows(1)
    await world.run(3)
    assert world.statuses()[-1] == "ENABLED"
    assert world.rows() == [1]


@pytest.mark.parametrize(
    "status", [SheetStatus.DISABLED_BY_OWNER, SheetStatus.DISABLED_ADMINISTRATIVE]
)
async def test_other_statuses_stay_whatever_happens_to_the_sheet(
    world: SheetWorld, status: SheetStatus
) -> None:
    webhook = await world.call()
    await world.stand(webhook, status)
    await world.delete_sheet()
    await world.run(3)
    assert await world.status_of(webhook) is status
    await world.delete_rows(1)
    await world.run(3)
    assert await world.status_of(webhook) is status
    assert not world.sender.sent


async def test_a_crash_before_the_row_is_written_judges_the_deletion_again(
    world: SheetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await world.call()
    await world.run(3)

    async def fails(*args: object, **kwargs: object) -> None:
        raise StorageUnavailable("the database is away")

    world.patient = True
    with monkeypatch.context() as broken:
        broken.setattr(world.storage.webhooks, "update", fails)
        await world.delete_sheet()
        last = await world.delete_rows(1)
        await world.run(40)
        state = await world.storage.dispatch.load(webhook.bucket)
        assert last.first_position is not None
        assert state.checkpoint < last.first_position - 1, "the deletion isn't behind it"
        await world.crash()
    await world.start()
    await world.run(5)
    assert await world.status_of(webhook) is SheetStatus.ENABLED
    assert world.rows()[-1:] == [1]


async def test_what_an_owner_did_since_the_deletion_is_not_undone(
    world: SheetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enabled again behind the deletion, which is read once more after a crash."""
    webhook = await world.call()
    await world.run(3)
    await world.stand(webhook, SheetStatus.DISABLED_BY_OWNER)
    await world.delete_sheet()
    await world.stand(webhook, SheetStatus.ENABLED)
    await world.crash()
    await world.start()
    await world.run(5)
    assert await world.status_of(webhook) is SheetStatus.ENABLED
    assert not world.sender.sent


async def test_those_that_want_the_same_are_told_once(world: SheetWorld) -> None:
    await world.call()
    await world.call()
    elsewhere = f"{URL}/elsewhere"
    await world.call(elsewhere)
    await world.delete_sheet()
    await world.run(5)
    await world.add_rows(1)
    await world.run(5)
    assert world.statuses() == [GONE, "ENABLED"]
    assert world.statuses(elsewhere) == [GONE, "ENABLED"]
    assert world.rows() == [1]


async def test_what_comes_between_a_deletion_and_its_writing_down_brings_the_sheet_back(
    world: SheetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await world.call()
    await world.run(2)
    update = world.storage.webhooks.update

    async def overtaken(changed: Webhook, **more: Any) -> Webhook:
        if sheet_of(changed).status is SheetStatus.DISABLED_SCOPE_INACCESSIBLE:
            await world.delete_rows(1)
        return await update(changed, **more)

    monkeypatch.setattr(world.storage.webhooks, "update", overtaken)
    await world.delete_sheet()
    await world.run(5)
    assert await world.status_of(webhook) is SheetStatus.ENABLED
    assert world.rows() == [1]


async def test_a_change_of_the_webhook_s_row_does_not_hide_that_its_sheet_is_back(
    world: SheetWorld,
) -> None:
    """Read in one go after a crash: deleted, renamed by its owner, published to."""
    webhook = await world.call()
    await world.run(2)
    await world.crash()
    await world.delete_sheet()
    row = await world.row_of(webhook)
    renamed = replace(row, sheet=replace(sheet_of(row), name="renamed"))
    await world.storage.webhooks.update(renamed)
    await world.delete_rows(1)
    await world.start()
    await world.run(5)
    assert await world.status_of(webhook) is SheetStatus.ENABLED
    assert world.rows() == [1]


async def test_that_it_is_back_is_told_also_where_the_deletion_s_callback_was_still_under_way(
    world: SheetWorld,
) -> None:
    await world.call()
    await world.run(2)
    answer = world.sender.hold(URL)
    await world.delete_sheet()
    await world.run(2)
    assert world.statuses() == [GONE]
    await world.delete_rows(1)
    await world.run(2)
    await world.let(answer)
    await world.run(2)
    assert world.statuses() == [GONE, "ENABLED"]


@pytest.mark.parametrize("outcome", [SendOutcome(status=410), ERROR])
async def test_an_event_callback_that_fails_when_the_sheet_is_gone_does_not_take_its_telling_along(
    world: SheetWorld, outcome: SendOutcome
) -> None:
    webhook = await world.call()
    await world.run(2)
    world.sender.behave(URL, lambda request: outcome if b"events" in request.body else OK)
    answer = world.sender.hold(URL)
    await world.delete_rows(1)
    await world.run(2)
    await world.delete_sheet()
    await world.run(2)
    await world.let(answer)
    await world.run(2)
    assert world.statuses() == [GONE]
    assert (await world.cursor_of(webhook)).told > 0
