"""How notifications end after a day of failures, and how they begin again (contract 1.6)."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tests.simulation.endpoints import ERROR, OK, UNREACHABLE
from tests.simulation.world import World
from tidings.domain.dispatch import BucketSettlement
from tidings.domain.filter import ApplicationFilter
from tidings.domain.webhook import DisabledReason, Notifications, Webhook
from tidings.errors import RevisionConflict, StorageUnavailable
from tidings.ports import SendOutcome

pytestmark = pytest.mark.anyio

URL = "https://endpoint.example/hook"
GONE = SendOutcome(status=410)
DAY = 86_400.0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = await World.open(tmp_path / "tidings.db")
    yield opened
    await opened.close()


async def row_of(world: World, webhook: Webhook) -> Webhook:
    row = await world.storage.webhooks.get(webhook.bucket, webhook.webhook_id)
    assert row is not None
    return row


async def notifications_of(world: World, webhook: Webhook) -> Notifications:
    return (await row_of(world, webhook)).notifications


def with_the_middle_of_the_jitter(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.clock, "draw", lambda: 0.5)


async def test_the_schedules_end_disables_notifications_with_reason_time_and_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_the_middle_of_the_jitter(world, monkeypatch)
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    began_at = world.clock.now()
    await world.publish()
    await world.pass_time(81_909)
    assert (await notifications_of(world, webhook)).enabled
    await world.run(2)
    assert len(world.sender.sent) == 14, "one attempt and 13 retries"
    assert await notifications_of(world, webhook) == Notifications(
        enabled=False,
        url=URL,
        reason=DisabledReason.DELIVERY_FAILED,
        disabled_at=began_at + timedelta(seconds=81_910),
        last_error="the endpoint answered 500",
    )
    await world.pass_time(DAY)
    assert len(world.sender.sent) == 14
    assert not (await world.storage.dispatch.load(webhook.bucket)).debts


async def test_a_day_after_the_first_failure_is_the_end_though_retries_are_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every wait at its longest the 13th retry would come after 25 h."""
    monkeypatch.setattr(world.clock, "draw", lambda: 0.999999)
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    began_at = world.clock.now()
    await world.publish()
    await world.pass_time(DAY - 1)
    assert (await notifications_of(world, webhook)).enabled
    await world.run(1.01)  # the time of day has whole milliseconds
    assert world.sender.sent[-1].at == pytest.approx(DAY, abs=0.01), "a last try, at its end"
    ended = await notifications_of(world, webhook)
    assert ended.reason is DisabledReason.DELIVERY_FAILED
    assert ended.disabled_at is not None
    assert abs(ended.disabled_at - began_at - timedelta(seconds=DAY)) < timedelta(seconds=0.01)


async def test_retry_after_is_heeded_within_the_day_and_no_longer(world: World) -> None:
    webhook = await world.register()
    world.sender.behave(URL, SendOutcome(status=503, headers={"retry-after": "70000"}))
    await world.publish()
    await world.pass_time(DAY + 1)
    assert [round(ping.at) for ping in world.sender.sent] == [0, 70_000, 86_400]
    assert not (await notifications_of(world, webhook)).enabled


async def test_410_disables_at_once_and_collection_goes_on(world: World) -> None:
    webhook = await world.register()
    world.sender.behave(URL, GONE)
    await world.publish()
    await world.run(1)
    ended = await notifications_of(world, webhook)
    assert ended.reason is DisabledReason.DELIVERY_FAILED
    assert ended.last_error == "the endpoint answered 410"
    later = await world.publish(3)
    await world.pass_time(DAY)
    assert len(world.sender.sent) == 1
    world.sender.behave(URL, OK)
    await world.switch(webhook, enabled=True)
    await world.run(1)
    assert [ping.covered for ping in world.sender.sent[1:]] == [later.last_position]


async def test_enabling_again_pings_once_at_once_and_gives_the_whole_schedule_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_the_middle_of_the_jitter(world, monkeypatch)
    webhook = await world.register()
    world.sender.behave(URL, GONE)
    await world.publish()
    await world.run(3)
    world.sender.behave(URL, ERROR)
    await world.switch(webhook, enabled=True)
    began = world.clock.monotonic()
    await world.pass_time(81_909)
    assert [round(ping.at - began) for ping in world.sender.sent[1:4]] == [0, 10, 30]
    assert (await notifications_of(world, webhook)).enabled
    await world.run(2)
    assert len(world.sender.sent) == 1 + 14
    assert not (await notifications_of(world, webhook)).enabled


async def test_new_changes_join_the_pending_ping_and_never_put_its_end_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_the_middle_of_the_jitter(world, monkeypatch)
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    for _ in range(23):
        await world.publish()
        await world.pass_time(3_600)
    assert len(world.sender.sent) == 14
    assert not (await notifications_of(world, webhook)).enabled


async def test_one_success_resets_the_schedule_and_the_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_the_middle_of_the_jitter(world, monkeypatch)
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    await world.publish()
    await world.pass_time(40_949)
    world.sender.behave(URL, OK)
    await world.run(2)  # the 13th attempt, at 40,950 s
    world.sender.behave(URL, ERROR)
    await world.publish()
    await world.run(2)
    failed = len(world.sender.sent)
    began = world.sender.sent[-1].at
    await world.pass_time(81_905)
    assert (await notifications_of(world, webhook)).enabled
    times = [ping.at for ping in world.sender.sent[failed - 1 :]]
    assert [round(later - earlier) for earlier, later in itertools.pairwise(times)][:3] == [
        10,
        20,
        40,
    ]
    await world.pass_time(began + 81_911 - world.clock.monotonic())
    assert not (await notifications_of(world, webhook)).enabled


async def test_a_restart_in_the_midst_of_the_day_does_not_begin_it_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_the_middle_of_the_jitter(world, monkeypatch)
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    await world.publish()
    for _ in range(10):
        await world.pass_time(8_000)
        await world.crash()
        await world.start()
    await world.pass_time(1_909)
    assert (await notifications_of(world, webhook)).enabled
    await world.run(2)
    assert not (await notifications_of(world, webhook)).enabled
    assert len(world.sender.sent) == 14


async def test_a_crash_between_the_decision_and_the_row_ends_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await world.register()
    world.sender.behave(URL, GONE)

    async def refuse(row: Webhook, *, epoch: int) -> Webhook:
        raise StorageUnavailable("locked")

    began_at = world.clock.now()
    with monkeypatch.context() as broken:
        broken.setattr(world.storage.webhooks, "update", refuse)
        world.patient = True
        await world.publish()
        await world.run(5)
        await world.crash()
    world.sender.behave(URL, OK)
    await world.run(3_600)
    await world.start()
    await world.run(2)
    ended = await notifications_of(world, webhook)
    assert ended.reason is DisabledReason.DELIVERY_FAILED
    assert ended.disabled_at == began_at
    await world.pass_time(DAY)
    assert len(world.sender.sent) == 1


async def test_a_crash_before_the_decision_is_written_comes_to_the_same_decision(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await world.register()
    world.sender.behave(URL, GONE)

    async def refuse(settlements: Sequence[BucketSettlement]) -> frozenset[int]:
        raise StorageUnavailable("full")

    async def refuse_row(row: Webhook, *, epoch: int) -> Webhook:
        raise StorageUnavailable("full")

    world.patient = True
    with monkeypatch.context() as broken:
        broken.setattr(world.storage.dispatch, "settle", refuse)
        broken.setattr(world.storage.webhooks, "update", refuse_row)
        await world.publish()
        await world.run(2)
        await world.crash()
    await world.start()
    await world.run(2)
    assert len(world.sender.sent) == 2
    assert (await notifications_of(world, webhook)).last_error == "the endpoint answered 410"


async def test_a_storage_fault_and_a_conflict_are_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await world.register()
    world.sender.behave(URL, GONE)
    update, faults = world.storage.webhooks.update, [StorageUnavailable("x"), RevisionConflict("y")]

    async def fail_twice(row: Webhook, *, epoch: int) -> Webhook:
        if faults:
            raise faults.pop()
        return await update(row, epoch=epoch)

    monkeypatch.setattr(world.storage.webhooks, "update", fail_twice)
    world.patient = True
    await world.publish()
    await world.run(5)
    assert not faults
    assert not (await notifications_of(world, webhook)).enabled


@pytest.mark.parametrize("change", ["moved", "off and on", "off"])
async def test_what_an_owner_did_since_the_decision_is_not_undone(
    world: World, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """The owner's change is in the row, and the tail hasn't come to it yet."""
    webhook = await world.register()
    await world.run(1)
    update = world.storage.webhooks.update

    async def owner_first(row: Webhook, *, epoch: int) -> Webhook:
        monkeypatch.setattr(world.storage.webhooks, "update", update)
        world.dispatch.unwatch()
        if change == "moved":
            last = await row_of(world, webhook)
            moved = msgspec.structs.replace(last.notifications, url=f"{URL}/new")
            await update(msgspec.structs.replace(last, notifications=moved))
        else:
            await world.switch(webhook, enabled=False)
            if change == "off and on":
                await world.switch(webhook, enabled=True)
        return await update(row, epoch=epoch)

    world.sender.behave(URL, lambda request: GONE if len(world.sender.sent) < 2 else OK)
    monkeypatch.setattr(world.storage.webhooks, "update", owner_first)
    receipt = await world.publish()
    await world.run(10)
    found = await notifications_of(world, webhook)
    assert found.reason is None
    assert found.enabled is (change != "off")
    if found.enabled:
        assert [ping.covered for ping in world.sender.sent[1:]] == [receipt.last_position]
        assert world.sender.sent[1].url == found.url


async def test_an_owner_who_enables_again_before_a_crash_is_not_undone_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The debt that has ended is written; nobody has taken up what the owner did."""
    webhook = await world.register()
    world.sender.behave(URL, GONE)

    async def refuse(row: Webhook, *, epoch: int) -> Webhook:
        raise StorageUnavailable("locked")

    world.patient = True
    with monkeypatch.context() as broken:
        broken.setattr(world.storage.webhooks, "update", refuse)
        await world.publish()
        await world.run(3)
        await world.crash()
    await world.switch(webhook, enabled=False)
    await world.switch(webhook, enabled=True)
    world.sender.behave(URL, OK)
    await world.start()
    await world.run(5)
    assert (await notifications_of(world, webhook)).enabled
    assert len(world.sender.sent) == 2


async def test_another_filter_does_not_save_a_webhook_whose_endpoint_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await world.register()
    world.sender.behave(URL, GONE)
    update = world.storage.webhooks.update

    async def owner_first(row: Webhook, *, epoch: int) -> Webhook:
        monkeypatch.setattr(world.storage.webhooks, "update", update)
        last = await row_of(world, webhook)
        await update(msgspec.structs.replace(last, filter=ApplicationFilter("people")))
        return await update(row, epoch=epoch)

    monkeypatch.setattr(world.storage.webhooks, "update", owner_first)
    await world.publish()
    await world.run(5)
    row = await row_of(world, webhook)
    assert row.filter == ApplicationFilter("people")
    assert row.notifications.reason is DisabledReason.DELIVERY_FAILED


async def test_many_webhooks_of_one_dead_host_end_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_the_middle_of_the_jitter(world, monkeypatch)
    webhooks = [await world.register(f"https://dead.example/{n}") for n in range(150)]
    for n in range(150):
        world.sender.behave(f"https://dead.example/{n}", UNREACHABLE)
    await world.publish()
    await world.pass_time(DAY)
    assert not any([(await notifications_of(world, each)).enabled for each in webhooks])
