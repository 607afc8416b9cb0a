"""The warnings before a webhook expires and is deleted, as pings (contract 1.7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.simulation.endpoints import ERROR, OK, Sent
from tests.simulation.world import World
from tidings.domain.instants import format_second
from tidings.domain.signing import verify
from tidings.domain.webhook import Webhook
from tidings.ports import SendOutcome

pytestmark = pytest.mark.anyio

URL = "https://endpoint.example/hook"
GONE = SendOutcome(status=410)
MINUTE, DAY = 60.0, 86_400.0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = await World.open(tmp_path / "tidings.db")
    yield opened
    await opened.close()


async def sweep_after(world: World, seconds: float) -> None:
    """Let time pass in one step, and sweep as if others had swept each minute of it."""
    await world.clock.advance(seconds)
    time = await world.storage.lifecycle.time()
    assert await world.storage.lifecycle.keep_time(time, time.paused)
    await world.sweeper.run_once()
    await world.dispatch.leases.run_once()


async def live(world: World, seconds: float) -> None:
    """Let days pass, and then a moment in which all are awake."""
    await sweep_after(world, seconds)
    await world.run(3)


def notices(world: World) -> list[Sent]:
    return [sent for sent in world.sender.sent if "notice" in sent.json]


async def row_of(world: World, webhook: Webhook) -> Webhook:
    row = await world.storage.webhooks.get(webhook.bucket, webhook.webhook_id)
    assert row is not None
    return row


async def test_a_day_before_it_expires_a_webhook_is_told_once_by_a_signed_ping_of_its_own(
    world: World,
) -> None:
    webhook = await world.register()
    await live(world, 6 * DAY - MINUTE)
    assert not world.sender.sent
    await live(world, MINUTE)
    (notice,) = world.sender.sent
    number = (await row_of(world, webhook)).revision
    assert notice.notification_id == f"{webhook.webhook_id}.n{number}"
    assert notice.json["notice"] == "EXPIRES_SOON"
    expires_at = webhook.created.at + timedelta(days=7)
    assert notice.json["expiresAt"] == format_second(expires_at)
    verify([webhook.secret], notice.headers, notice.body, now=world.clock.now())
    await world.run(MINUTE)
    await world.crash()
    await world.start()
    await world.run(MINUTE)
    assert len(world.sender.sent) == 1


async def test_the_last_notice_is_sent_though_pings_are_off(world: World) -> None:
    webhook = await world.register()
    await live(world, 6 * DAY)
    await live(world, 2 * DAY)
    await world.publish()
    await live(world, 5 * DAY)
    first, last = world.sender.sent
    assert first.json["notice"] == last.json["notice"] == "EXPIRES_SOON"
    assert last.json["expiresAt"] == format_second(webhook.created.at + timedelta(days=14))
    assert first.notification_id != last.notification_id


async def test_an_owner_who_disabled_notifications_is_told_nothing(world: World) -> None:
    webhook = await world.register()
    await world.switch(webhook, enabled=False)
    for _ in range(13):
        await live(world, DAY)
    assert (await row_of(world, webhook)).notice is not None
    assert not world.sender.sent


async def test_whether_a_notice_stands_is_judged_when_sending(world: World) -> None:
    """The webhook is listed after its notice was raised; the dispatcher doesn't know yet."""
    webhook = await world.register()
    await live(world, 6 * DAY - MINUTE)
    world.dispatch.unwatch()
    await sweep_after(world, MINUTE)
    assert (await row_of(world, webhook)).notice is not None
    await world.storage.lifecycle.extend(webhook.bucket, webhook.webhook_id, "key_1")
    await world.run(MINUTE)
    assert not world.sender.sent


async def test_a_notice_is_tried_again_by_the_schedule_and_disables_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.clock, "draw", lambda: 0.5)
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    await live(world, 6 * DAY)
    began = world.sender.sent[0].at
    await world.run(MINUTE + 7)
    assert [round(sent.at - began) for sent in notices(world)] == [0, 10, 30, 70]
    assert len({sent.notification_id for sent in notices(world)}) == 1
    assert not (await world.storage.dispatch.load(webhook.bucket)).debts
    world.sender.behave(URL, GONE)
    await world.run(100)
    assert len(notices(world)) == 5
    assert (await row_of(world, webhook)).notifications.enabled


async def test_a_notice_that_failed_is_not_tried_again_once_the_webhook_is_listed(
    world: World,
) -> None:
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    await live(world, 6 * DAY)
    assert len(notices(world)) == 1
    await world.storage.lifecycle.extend(webhook.bucket, webhook.webhook_id, "key_1")
    world.sender.behave(URL, OK)
    await world.run(10 * MINUTE)
    assert len(notices(world)) == 1


async def test_a_notice_and_pings_keep_to_one_in_flight_and_lose_nothing(world: World) -> None:
    await world.register()
    answer = world.sender.hold(URL)
    await live(world, 6 * DAY)
    receipt = await world.publish()
    await world.run(2)
    assert world.sender.in_flight == world.sender.most_in_flight == 1
    answer.set()
    await world.run(3)
    assert world.sender.most_in_flight == 1
    assert world.sender.sent[-1].covered == receipt.last_position
    assert len(world.sender.sent) == 2
