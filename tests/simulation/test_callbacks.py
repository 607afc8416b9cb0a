"""When callbacks are sent, and what stands in them (contract 2.5; mechanics D5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.simulation.endpoints import ERROR, OK
from tests.simulation.sheets import SHEET, URL, SheetWorld, answering_challenges
from tidings.domain.dispatch import Place
from tidings.domain.sheet_webhook import SheetStatus
from tidings.domain.signing import verify_callback

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SheetWorld]:
    opened = await SheetWorld.open(tmp_path / "tidings.db")
    opened.sender.behave(URL, answering_challenges())
    yield opened
    await opened.close()


async def test_what_happens_within_a_second_is_one_signed_callback(world: SheetWorld) -> None:
    webhook = await world.call()
    await world.run(5)
    began = world.clock.monotonic()
    await world.add_rows(101)
    await world.run(0.7)
    await world.publish_changes(
        {"kind": "RECORD_UPDATED", "record_id": "101", "data": {"12": 1}, "changed_fields": ["12"]}
    )
    await world.run(0.299)
    assert not world.sender.sent, "a second after the first that waits, and later ones don't count"
    await world.run(5)
    (callback,) = world.sender.sent
    assert callback.at == pytest.approx(began + 1)
    verify_callback([webhook.secret], callback.headers, callback.body)
    assert callback.headers["smartsheet-hook-id"] == webhook.webhook_id
    told = callback.json
    assert (told["webhookId"], told["scope"], told["scopeObjectId"]) == (
        int(webhook.webhook_id),
        "sheet",
        SHEET,
    )
    happened = [(e["objectType"], e["eventType"], e.get("columnId")) for e in told["events"]]
    assert happened == [
        ("row", "created", None),
        ("cell", "created", 11),
        ("row", "updated", None),
        ("cell", "updated", 12),
    ]


async def test_a_callback_in_flight_is_the_only_one_and_the_next_goes_when_its_second_is_over(
    world: SheetWorld,
) -> None:
    await world.call()
    answer = world.sender.hold(URL)
    await world.delete_rows(101)
    await world.run(3)
    await world.delete_rows(102)
    await world.run(5)
    assert len(world.sender.sent) == 1
    await world.let(answer)
    assert world.rows() == [101, 102], "its own second has long been over"
    await world.delete_rows(103)
    await world.run(0.9)
    assert world.rows() == [101, 102]
    await world.run(0.1)
    assert world.rows() == [101, 102, 103]
    assert world.sender.most_in_flight == 1


async def test_over_1_000_events_the_next_callback_goes_at_once_after_the_acknowledgement(
    world: SheetWorld,
) -> None:
    """Also within one change: 601 rows of two events, and one of more than a callback holds."""
    await world.call()
    await world.run(2)
    began = world.clock.monotonic()
    await world.add_rows(*range(1, 602))
    await world.add_rows(7_000, cells=1_500)
    answer = world.sender.hold(URL)
    await world.run(3)
    assert [len(sent.json["events"]) for sent in world.callbacks()] == [1_000]
    await world.let(answer)
    assert [len(sent.json["events"]) for sent in world.callbacks()] == [1_000, 1_000, 703]
    assert world.callbacks()[0].at == pytest.approx(began + 1)
    assert world.callbacks()[-1].at == pytest.approx(began + 3)
    assert world.rows() == [*range(1, 602), 7_000]
    cells = [e["columnId"] for s in world.callbacks() for e in s.json["events"] if "rowId" in e]
    assert cells[601:] == list(range(11, 1_511))


async def test_what_is_no_event_is_passed_over_without_a_callback(world: SheetWorld) -> None:
    webhook = await world.call(columns=(12,))
    await world.publish_changes({"kind": "RECORD_CREATED", "record_id": "a-slug", "data": {}})
    await world.publish_changes({"kind": "RECORD_DELETED", "record_id": "9"}, sheet=SHEET + 1)
    await world.publish_changes(
        {"kind": "RECORD_UPDATED", "record_id": "9", "data": {}, "changed_fields": ["11"]}
    )
    last = await world.publish_changes({"kind": "APPLICATION_UPDATED", "data": {}})
    await world.run(10)
    assert not world.sender.sent
    assert last.last_position is not None
    assert (await world.cursor_of(webhook)).acked == Place(last.last_position + 1)
    await world.delete_rows(7)
    await world.run(1)
    assert world.rows() == [7]


async def test_nothing_is_sent_to_one_that_is_not_enabled_and_nothing_is_lost(
    world: SheetWorld,
) -> None:
    webhook = await world.call(enabled=False)
    await world.delete_rows(1)
    await world.run(100)
    await world.crash()
    await world.start()
    await world.delete_rows(2)
    await world.run(100)
    assert not world.sender.sent
    await world.stand(webhook, SheetStatus.ENABLED)
    await world.run(0)
    assert world.rows() == [1, 2]
    await world.stand(webhook, SheetStatus.DISABLED_BY_OWNER)
    await world.delete_rows(3)
    await world.run(100)
    await world.delete_rows(4)
    await world.run(100)
    assert world.rows() == [1, 2]
    await world.stand(webhook, SheetStatus.ENABLED)
    await world.run(0)
    assert world.rows() == [1, 2, 3, 4]


async def test_whether_it_is_enabled_is_judged_when_sending(world: SheetWorld) -> None:
    webhook = await world.call()
    await world.delete_rows(1)
    await world.run(0.5)
    world.dispatch.unwatch()  # the dispatcher hears of it only when it reads the log
    await world.stand(webhook, SheetStatus.DISABLED_BY_OWNER)
    await world.run(0.5)
    assert not world.sender.sent
    await world.run(10)
    assert not world.sender.sent


async def test_fifty_webhooks_are_called_each_for_itself(world: SheetWorld) -> None:
    webhooks = [await world.call(f"{URL}/{number}") for number in range(50)]
    await world.run(2)
    await world.delete_rows(1, 2, 3)
    await world.run(2)
    assert [world.rows(f"{URL}/{number}") for number in range(50)] == [[1, 2, 3]] * 50
    assert {sent.json["webhookId"] for sent in world.sender.sent} == {
        int(webhook.webhook_id) for webhook in webhooks
    }
    assert len({sent.json["nonce"] for sent in world.sender.sent}) == 50


async def test_the_statistics_say_when_it_was_called_and_how_often_it_had_failed(
    world: SheetWorld,
) -> None:
    webhook = await world.call()
    world.sender.behave(URL, ERROR)
    await world.delete_rows(1)
    await world.run(1)
    tried_at = world.clock.now()
    await world.run(2)
    cursor = await world.cursor_of(webhook)
    assert (cursor.last_attempt_at, cursor.last_attempt_failures) == (tried_at, 0)
    assert (cursor.last_success_at, cursor.acknowledged) == (None, 0)
    world.sender.behave(URL, OK)
    await world.run(20)
    cursor = await world.cursor_of(webhook)
    assert cursor.last_attempt_at is not None
    assert cursor.last_attempt_at > tried_at
    assert cursor.last_success_at == cursor.last_attempt_at
    assert (cursor.last_attempt_failures, cursor.acknowledged) == (1, 1)


async def test_each_attempt_is_in_the_log_of_attempts_by_its_nonce(world: SheetWorld) -> None:
    webhook = await world.call()
    receipt = await world.delete_rows(1)
    await world.run(3)
    (attempt,) = await world.storage.dispatch.attempts_of(webhook.bucket, webhook.webhook_id, 10)
    (callback,) = world.callbacks()
    assert attempt.notification_id == callback.json["nonce"]
    assert (attempt.status, attempt.error) == (200, None)
    assert attempt.covered == receipt.last_position


async def test_pings_and_callbacks_of_the_same_changes_go_side_by_side(world: SheetWorld) -> None:
    await world.call()
    pinged = await world.register("https://endpoint.example/ping")
    await world.delete_rows(1)
    await world.run(5)
    assert world.rows() == [1]
    (ping,) = world.sender.to("https://endpoint.example/ping")
    assert ping.json["webhookId"] == pinged.webhook_id
