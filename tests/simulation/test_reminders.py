"""Reminders while events stay unread, each at its second (contract 1.6; mechanics D1)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from tests.simulation.endpoints import ERROR, OK
from tests.simulation.test_pings import read_note
from tests.simulation.world import World
from tidings.domain.dispatch import BucketSettlement
from tidings.domain.webhook import Webhook
from tidings.errors import StorageUnavailable

pytestmark = pytest.mark.anyio

URL = "https://endpoint.example/hook"
MINUTE, HOUR, DAY = 60, 3_600, 86_400
LADDER = (MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, DAY, DAY, DAY)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = await World.open(tmp_path / "tidings.db")
    yield opened
    await opened.close()


def read(world: World, webhook: Webhook, position: int | None, *, has_more: bool = False) -> None:
    assert position is not None
    world.reads.note_read(read_note(world, webhook, position, has_more=has_more))


async def climb(world: World, rungs: Sequence[int]) -> None:
    """Let the next reminders come, and none of them early."""
    for rung in rungs:
        sent = len(world.sender.sent)
        await world.pass_time(rung - 0.1)
        assert len(world.sender.sent) == sent
        await world.run(0.1)
        assert len(world.sender.sent) == sent + 1


async def test_unread_events_are_reminded_of_by_the_ladder_then_daily(world: World) -> None:
    webhook = await world.register()
    receipt = await world.publish()
    await world.run(0)
    await climb(world, LADDER)
    ids = [ping.notification_id for ping in world.sender.sent]
    assert len(set(ids)) == len(ids), "receivers drop an id that they have seen"
    told = f"{webhook.webhook_id}.{receipt.last_position}"
    assert ids[0] == told
    assert all(each.startswith(f"{told}.r") for each in ids[1:])


async def test_nobody_who_has_read_everything_is_reminded(world: World) -> None:
    webhook = await world.register()
    receipt = await world.publish()
    await world.run(30)
    read(world, webhook, receipt.last_position)
    await world.pass_time(2 * DAY)
    assert len(world.sender.sent) == 1


async def test_each_advance_of_the_reader_starts_the_ladder_anew(world: World) -> None:
    webhook = await world.register()
    receipt = await world.publish(3)
    await world.run(0)
    await climb(world, LADDER[:4])
    read(world, webhook, receipt.first_position)  # two are left, and no more was asked for
    await climb(world, LADDER[:3])
    read(world, webhook, receipt.first_position)  # the same again is no advance
    await climb(world, LADDER[3:5])


async def test_the_wait_counts_from_the_last_acknowledged_ping_and_news_are_no_rung(
    world: World,
) -> None:
    await world.register()
    await world.publish()
    await world.run(0)
    await climb(world, LADDER[:1])
    await world.run(100)
    await world.publish()
    await world.run(0)
    assert len(world.sender.sent) == 3
    await climb(world, LADDER[1:4])


async def test_a_failing_reminder_is_a_debt_with_the_schedule_of_any_ping(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.clock, "draw", lambda: 0.5)
    webhook = await world.register()
    await world.publish()
    await world.run(10)
    world.sender.behave(URL, ERROR)
    await world.run(52)
    state = await world.storage.dispatch.load(webhook.bucket)
    assert [debt.failures for debt in state.debts] == [1]
    await world.run(30)
    world.sender.behave(URL, OK)
    await world.run(38)  # 60 s, then 10, 20 and 40 later
    assert [round(ping.at) for ping in world.sender.sent] == [0, 60, 70, 90, 130]
    assert len({ping.notification_id for ping in world.sender.sent[1:]}) == 1
    await climb(world, [LADDER[1]])


async def test_reminders_that_nobody_acknowledges_for_a_day_disable_notifications(
    world: World,
) -> None:
    webhook = await world.register()
    await world.publish()
    await world.run(10)
    world.sender.behave(URL, ERROR)
    await world.pass_time(DAY + MINUTE)
    row = await world.storage.webhooks.get(webhook.bucket, webhook.webhook_id)
    assert row is not None
    assert not row.notifications.enabled
    sent = len(world.sender.sent)
    await world.pass_time(2 * DAY)
    assert len(world.sender.sent) == sent, "no reminder while notifications are off"


async def test_a_disabled_webhook_is_not_reminded_and_its_ladder_starts_anew(world: World) -> None:
    webhook = await world.register()
    await world.publish()
    await world.run(0)
    await climb(world, LADDER[:3])
    await world.switch(webhook, enabled=False)
    await world.pass_time(2 * DAY)
    assert len(world.sender.sent) == 4
    await world.switch(webhook, enabled=True)
    await world.run(0)
    assert len(world.sender.sent) == 5, "events wait"
    await climb(world, LADDER[:2])


async def test_a_restart_neither_forgets_a_reminder_nor_its_rung(world: World) -> None:
    await world.register()
    await world.publish()
    await world.run(0)
    await climb(world, LADDER[:3])
    await world.run(100)
    await world.crash()
    await world.clock.advance(200)
    await world.start()
    await climb(world, [LADDER[3] - 300, *LADDER[4:6]])


async def test_a_reminder_that_a_crash_hid_is_made_again_under_another_id(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.register()
    await world.publish()
    await world.run(10)

    async def refuse(settlements: Sequence[BucketSettlement]) -> frozenset[int]:
        raise StorageUnavailable("full")

    world.patient = True
    with monkeypatch.context() as broken:
        broken.setattr(world.storage.dispatch, "settle", refuse)
        await world.run(52)
        await world.crash()
    await world.start()
    await world.pass_time(MINUTE)
    ids = [ping.notification_id for ping in world.sender.sent]
    assert len(ids) == len(set(ids)) == 3
    assert all(".r" in each for each in ids[1:])


async def test_a_read_that_a_crash_lost_leaves_the_webhook_reminded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await world.register()
    receipt = await world.publish()
    await world.run(10)
    with monkeypatch.context() as broken:
        broken.setattr(world.reads, "run_once", lambda: _nothing())
        read(world, webhook, receipt.last_position)
        await world.run(3)
        await world.crash()
    await world.start()
    await world.pass_time(2 * HOUR)
    assert len(world.sender.sent) >= 2


async def _nothing() -> float:
    return 1.0


async def test_what_fell_due_while_nobody_dispatched_is_spread_and_none_is_lost(
    world: World,
) -> None:
    """A start after days off must not ping all who are behind at once."""
    for n in range(100):
        await world.register(f"{URL}/{n}", account=f"account-{n}")
        await world.publish(account=f"account-{n}")
    await world.run(1)
    await world.pass_time(3 * HOUR)  # the next rung of each is in 6 h
    before = len(world.sender.sent)
    assert before == 100 * 5
    await world.crash()
    await world.clock.advance(3 * DAY)
    await world.start()
    await world.run(30)
    assert len(world.sender.sent) - before < 10
    await world.pass_time(HOUR)
    reminded = [ping.url for ping in world.sender.sent[before:]]
    assert len(reminded) == len(set(reminded)) == 100


async def test_an_owner_who_moves_the_endpoint_is_reminded_there(world: World) -> None:
    webhook = await world.register()
    await world.publish()
    await world.run(10)
    row = await world.storage.webhooks.get(webhook.bucket, webhook.webhook_id)
    assert row is not None
    moved = msgspec.structs.replace(row.notifications, url=f"{URL}/new")
    await world.storage.webhooks.update(msgspec.structs.replace(row, notifications=moved))
    await world.run(55)
    assert len(world.sender.to(f"{URL}/new")) == 1
