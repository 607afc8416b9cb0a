"""What is owed after failures and crashes (contract 1.6; mechanics D2, D6, D7)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.simulation.endpoints import ERROR, OK, UNREACHABLE
from tests.simulation.world import World
from tidings.domain.dispatch import BucketSettlement
from tidings.domain.webhook import Webhook
from tidings.errors import StorageUnavailable
from tidings.ports import SendOutcome

pytestmark = pytest.mark.anyio

URL = "https://endpoint.example/hook"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = await World.open(tmp_path / "tidings.db")
    yield opened
    await opened.close()


async def test_a_failed_ping_is_tried_again_by_the_schedule_until_it_is_acknowledged(
    world: World,
) -> None:
    await world.register()
    world.sender.behave(URL, ERROR)
    await world.publish()
    await world.run(80)
    world.sender.behave(URL, OK)
    await world.run(100)
    times = [ping.at for ping in world.sender.sent]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    for wait, planned in zip(waits, (10, 20, 40, 80), strict=False):
        assert 0.9 * planned <= wait <= 1.1 * planned + 0.1
    assert len(times) == 5
    assert len({ping.notification_id for ping in world.sender.sent}) == 1


async def test_the_log_says_why_an_attempt_failed(world: World) -> None:
    await world.register()
    world.sender.behave(URL, UNREACHABLE)
    with capture_logs() as logs:
        await world.publish()
        await world.run(5)
    [line] = [line for line in logs if line["event"] == "attempt.failed"]
    assert (line["error"], line["failures"]) == (UNREACHABLE.error, 1)
    assert UNREACHABLE.error


async def test_a_retry_that_covers_more_has_a_new_id_and_does_not_come_earlier(
    world: World,
) -> None:
    await world.register()
    world.sender.behave(URL, ERROR)
    await world.publish()
    await world.run(5)
    more = await world.publish()
    await world.run(3)
    assert len(world.sender.sent) == 1, "a new change joins the pending ping"
    await world.run(10)
    first, second = world.sender.sent
    assert second.covered == more.last_position
    assert first.notification_id != second.notification_id


async def test_retry_after_lengthens_the_wait(world: World) -> None:
    await world.register()
    world.sender.behave(URL, SendOutcome(status=429, headers={"retry-after": "100"}))
    await world.publish()
    await world.run(99)
    assert len(world.sender.sent) == 1
    await world.run(2)
    assert len(world.sender.sent) == 2


async def test_a_debt_survives_a_crash_and_is_paid_when_it_is_due(world: World) -> None:
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    await world.publish()
    await world.run(5)
    state = await world.storage.dispatch.load(webhook.bucket)
    assert [debt.failures for debt in state.debts] == [1]
    await world.crash()
    world.sender.behave(URL, OK)
    await world.start()
    await world.run(3)
    assert len(world.sender.sent) == 1
    await world.run(5)
    assert len(world.sender.sent) == 2
    assert not (await world.storage.dispatch.load(webhook.bucket)).debts


async def test_what_matched_while_a_debt_stood_is_told_after_a_crash_under_an_id_of_its_own(
    world: World,
) -> None:
    """The endpoint may have seen the first id, and its answer been lost: it would drop it."""
    await world.register()
    world.sender.behave(URL, ERROR)
    await world.publish()
    await world.run(3)
    await world.publish()  # while a debt stands, matches write nothing
    await world.run(3)
    await world.crash()
    world.sender.behave(URL, OK)
    await world.start()
    await world.run(20)
    first, second = world.sender.sent
    assert second.notification_id != first.notification_id


async def test_an_unanswered_ping_is_sent_again_after_a_crash_and_none_is_lost(
    world: World,
) -> None:
    await world.register()
    answer = world.sender.hold(URL)
    receipt = await world.publish()
    await world.run(3)
    await world.crash()
    answer.set()
    await world.start()
    await world.run(1)
    assert [ping.covered for ping in world.sender.sent] == [receipt.last_position] * 2
    assert len({ping.notification_id for ping in world.sender.sent}) == 1


async def test_events_that_were_published_while_nobody_dispatched_are_pinged_on_start(
    world: World,
) -> None:
    await world.register()
    await world.run(2)
    await world.crash()
    receipt = await world.publish(10)
    await world.start()
    await world.run(0)
    assert [ping.covered for ping in world.sender.sent] == [receipt.last_position]


async def test_an_acknowledged_ping_is_not_repeated_by_a_start_after_the_flush(
    world: World,
) -> None:
    await world.register()
    await world.publish()
    await world.run(3)
    await world.crash()
    await world.start()
    await world.run(50)
    assert len(world.sender.sent) == 1


async def test_the_checkpoint_stays_behind_what_is_not_settled(world: World) -> None:
    webhook = await world.register()
    answer = world.sender.hold(URL)
    receipt = await world.publish()
    assert receipt.first_position is not None
    await world.run(1)
    await world.publish(5)
    await world.run(5)
    state = await world.storage.dispatch.load(webhook.bucket)
    assert state.checkpoint < receipt.first_position
    answer.set()
    await world.run(5)
    state = await world.storage.dispatch.load(webhook.bucket)
    assert state.checkpoint > receipt.first_position


async def test_what_holds_the_checkpoint_for_thirty_seconds_becomes_a_debt(world: World) -> None:
    webhook = await world.register()
    world.sender.hold(URL)
    receipt = await world.publish()
    assert receipt.last_position is not None
    await world.run(28)
    assert not (await world.storage.dispatch.load(webhook.bucket)).debts
    await world.run(5)
    state = await world.storage.dispatch.load(webhook.bucket)
    assert [debt.failures for debt in state.debts] == [0]
    assert state.checkpoint >= receipt.last_position
    await world.crash()
    world.sender.hold(URL).set()
    await world.start()
    await world.run(0)
    assert len(world.sender.sent) == 2


async def test_a_debt_is_paid_only_if_nothing_matched_after_the_attempt_was_built(
    world: World,
) -> None:
    await world.register()
    world.sender.behave(URL, ERROR)
    await world.publish()
    await world.run(5)
    world.sender.behave(URL, OK)
    answer = world.sender.hold(URL)
    await world.run(10)
    assert world.sender.in_flight == 1
    more = await world.publish()
    await world.run(1)
    answer.set()
    await world.run(2)
    assert world.sender.sent[-1].covered == more.last_position


async def test_a_dead_host_costs_a_few_attempts_and_not_one_a_webhook(world: World) -> None:
    for n in range(200):
        await world.register(f"https://dead.example/{n}")
        world.sender.behave(f"https://dead.example/{n}", UNREACHABLE)
    await world.register(URL)
    await world.publish()
    await world.run(5)
    dead = [sent for sent in world.sender.sent if "dead" in sent.url]
    assert len(dead) <= 32
    assert len(world.sender.to(URL)) == 1
    debts = 0
    for bucket in range(256):
        debts += len((await world.storage.dispatch.load(bucket)).debts)
    assert debts == 200


async def test_a_flush_that_fails_is_made_good_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    store, settle, failures = world.storage.dispatch, world.storage.dispatch.settle, 0

    async def fail_twice(settlements: Sequence[BucketSettlement]) -> frozenset[int]:
        nonlocal failures
        failures += 1
        if failures <= 2:
            raise StorageUnavailable("the disk is full")
        return await settle(settlements)

    monkeypatch.setattr(store, "settle", fail_twice)
    await world.publish()
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            await world.run(1)
    await world.run(2)
    state = await store.load(webhook.bucket)
    assert [debt.failures for debt in state.debts] == [1]


async def test_a_holder_that_can_not_renew_aborts_its_transfers_and_starts_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.register()
    world.sender.hold(URL)
    await world.publish()
    await world.run(1)
    assert world.sender.in_flight == 1
    await world.clock.advance(8)
    for worker in world.dispatch.workers:
        if worker is not world.dispatch.leases:
            await worker.run_once()
    await asyncio.sleep(0)
    await world.land()
    assert world.sender.in_flight == 0
    world.sender.hold(URL).set()
    await world.dispatch.dispatcher.run_once()
    assert len(world.sender.sent) == 1
    await world.run(2)  # renewed: what was called off is owed as before
    assert len(world.sender.sent) == 2


async def test_a_holder_whose_epoch_is_over_writes_nothing_and_stops(world: World) -> None:
    webhook = await world.register()
    await world.run(1)
    await world.storage.dispatch.take([webhook.bucket], "usurper", 10, predecessor_gone=True)
    await world.publish()
    await world.run(5)
    assert webhook.bucket not in world.dispatch.leases.epochs
    state = await world.storage.dispatch.load(webhook.bucket)
    assert not state.states
    await world.publish()
    sent = len(world.sender.sent)
    await world.run(5)
    assert len(world.sender.sent) == sent


async def test_hints_with_a_gap_are_not_trusted_and_the_log_is_read(world: World) -> None:
    await world.register()
    await world.run(2)
    world.dispatch.unwatch()
    missed = await world.publish()
    world.storage.log.watch(world.dispatch.dispatcher.appended)
    last = await world.publish()
    await world.run(0)
    assert missed.last_position is not None
    assert last.last_position is not None
    assert world.sender.sent[0].covered == last.last_position
    webhook_tail = world.dispatch.dispatcher.tail.positions
    assert last.last_position in webhook_tail.values()


async def test_a_read_that_fails_before_sending_leaves_every_ping_owed_and_every_slot_free(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Webhooks of several buckets are about to start when the database can't be read."""
    for n in range(20):
        await world.register(f"{URL}/{n}", account=f"account-{n}")
        await world.publish(account=f"account-{n}")

    async def fail(wanted: Mapping[int, Sequence[str]]) -> Mapping[str, Webhook]:
        raise StorageUnavailable("locked")

    with monkeypatch.context() as broken:
        broken.setattr(world.storage.webhooks, "current", fail)
        with pytest.raises(StorageUnavailable):
            await world.run(0)
    assert not world.sender.sent
    await world.run(1)
    assert len(world.sender.sent) == 20
    assert world.dispatch.dispatcher.sending == 0


async def test_another_endpoint_is_not_held_to_the_failures_of_the_one_before(
    world: World,
) -> None:
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    await world.publish()
    await world.run(200)
    row = await world.storage.webhooks.get(webhook.bucket, webhook.webhook_id)
    assert row is not None
    moved = msgspec.structs.replace(row.notifications, url=f"{URL}/mended")
    await world.storage.webhooks.update(msgspec.structs.replace(row, notifications=moved))
    await world.run(0)
    assert len(world.sender.to(f"{URL}/mended")) == 1


@pytest.mark.parametrize(
    ("outcome", "attempts"),
    [
        (SendOutcome(status=204), 1),
        (SendOutcome(status=301), 2),
        (SendOutcome(status=404), 2),
        (SendOutcome(status=200, error="did not answer in time"), 2),
        (SendOutcome(status=None, error="closed the connection"), 2),
    ],
)
async def test_any_2xx_in_time_acknowledges_and_nothing_else_does(
    world: World, outcome: SendOutcome, attempts: int
) -> None:
    await world.register()
    world.sender.behave(URL, outcome)
    await world.publish()
    await world.run(15)
    assert len(world.sender.sent) == attempts
