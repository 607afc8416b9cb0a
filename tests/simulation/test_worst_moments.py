"""Webhooks that are switched, moved, made or lost at the moment that is worst for the dispatch.

Each of these schedules once left a webhook without its ping (contract 1.6; mechanics D1, D2, L7).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from tests.simulation.endpoints import ERROR, OK, UNREACHABLE
from tests.simulation.test_pings import read_note
from tests.simulation.world import World
from tidings.domain.buckets import bucket_of
from tidings.domain.dispatch import BucketSettlement
from tidings.domain.webhook import Webhook
from tidings.errors import StorageUnavailable

pytestmark = pytest.mark.anyio

URL = "https://endpoint.example/hook"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = await World.open(tmp_path / "tidings.db")
    yield opened
    await opened.close()


def deaf(world: World) -> None:
    """Let no hint of a commit through until the next poll of the tail."""
    world.dispatch.unwatch()


async def move(world: World, webhook: Webhook, url: str) -> None:
    """Let a webhook notify another URL."""
    row = await world.storage.webhooks.get(webhook.bucket, webhook.webhook_id)
    assert row is not None
    moved = msgspec.structs.replace(row.notifications, url=url)
    await world.storage.webhooks.update(msgspec.structs.replace(row, notifications=moved))


async def test_a_webhook_that_was_found_disabled_when_sending_is_pinged_once_it_is_enabled(
    world: World,
) -> None:
    webhook = await world.register()
    await world.run(1)
    receipt = await world.publish()
    deaf(world)
    await world.switch(webhook, enabled=False)
    await world.run(0)
    assert not world.sender.sent
    await world.run(5)
    await world.switch(webhook, enabled=True)
    await world.run(5)
    assert [ping.covered for ping in world.sender.sent] == [receipt.last_position]


async def test_a_webhook_that_was_off_for_less_than_a_round_is_pinged(world: World) -> None:
    """When the first control entry is read the row is on again."""
    webhook = await world.register()
    await world.run(1)
    receipt = await world.publish()
    deaf(world)
    await world.switch(webhook, enabled=False)
    await world.run(0)
    assert not world.sender.sent
    await world.switch(webhook, enabled=True)
    await world.run(5)
    assert [ping.covered for ping in world.sender.sent] == [receipt.last_position]


async def test_switching_off_and_on_at_once_starts_afresh_in_spite_of_a_debt(world: World) -> None:
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    await world.publish()
    await world.run(1_000)
    world.sender.behave(URL, OK)
    sent = len(world.sender.sent)
    deaf(world)
    await world.switch(webhook, enabled=False)
    await world.switch(webhook, enabled=True)
    await world.run(2)
    assert len(world.sender.sent) == sent + 1


async def test_an_attempt_that_fails_after_switching_off_leaves_nothing_owed(world: World) -> None:
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    answer = world.sender.hold(URL)
    await world.publish()
    await world.run(1)
    await world.switch(webhook, enabled=False)
    await world.run(1)
    answer.set()
    await world.run(40)
    assert not (await world.storage.dispatch.load(webhook.bucket)).debts


async def test_what_came_while_it_was_off_is_told_after_a_late_failure_and_a_crash(
    world: World,
) -> None:
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    answer = world.sender.hold(URL)
    first = await world.publish()
    await world.run(1)
    await world.switch(webhook, enabled=False)
    await world.run(1)
    answer.set()
    assert first.last_position is not None
    world.reads.note_read(read_note(world, webhook, first.last_position, has_more=False))
    await world.run(3)
    await world.publish()
    await world.run(3)
    await world.crash()
    world.sender.behave(URL, OK)
    await world.start()
    await world.run(1)
    sent = len(world.sender.sent)
    await world.switch(webhook, enabled=True)
    await world.run(5)
    assert len(world.sender.sent) == sent + 1


@pytest.mark.parametrize("crashes_while_off", [False, True])
async def test_what_matched_beside_a_debt_is_told_on_switching_on_after_a_crash(
    world: World, *, crashes_while_off: bool
) -> None:
    """While a debt stands, matches write nothing: the new holder can't know of the second one."""
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    first = await world.publish()
    await world.run(3)
    assert first.last_position is not None
    world.reads.note_read(read_note(world, webhook, first.last_position, has_more=False))
    await world.publish()
    await world.run(3)
    await world.crash()
    world.sender.behave(URL, OK)
    await world.start()
    await world.switch(webhook, enabled=False)
    await world.run(3)
    if crashes_while_off:
        await world.crash()
        await world.start()
        await world.run(3)
    sent = len(world.sender.sent)
    await world.switch(webhook, enabled=True)
    await world.run(5)
    assert len(world.sender.sent) == sent + 1


async def test_a_webhook_that_starts_in_the_past_is_told_of_it_though_a_crash_came_first(
    world: World,
) -> None:
    await world.publish(3)
    start_at = world.clock.now()
    await world.run(60)
    await world.crash()
    await register_from(world, start_at)
    await world.start()
    await world.run(1)
    assert len(world.sender.to(URL)) == 1
    await world.crash()
    await world.start()
    await world.run(100)
    assert len(world.sender.to(URL)) <= 2, "at most the one that was under way at the crash"


async def register_from(world: World, start_at: datetime) -> Webhook:
    """Create a webhook that sees the past."""
    template = await world.register("https://other.example/")
    return await world.storage.webhooks.create(
        msgspec.structs.replace(
            template,
            webhook_id=template.webhook_id[:-4] + "beef",
            notifications=msgspec.structs.replace(template.notifications, url=URL),
        ),
        start_at=start_at,
    )


async def test_a_dead_endpoint_somebody_moved_to_is_no_failure_of_those_who_wait_where_it_was(
    world: World,
) -> None:
    """Else a tenant could hold up another's pings by moving a webhook at the right moment."""
    mover = await world.register(f"{URL}/mover", account="mallory")
    answers = []
    for n in range(40):
        await world.register(f"{URL}/{n}")
        answers.append(world.sender.hold(f"{URL}/{n}"))
    world.sender.behave("https://dead.example/", UNREACHABLE)
    await world.run(1)
    await world.publish()
    await world.publish(account="mallory")
    deaf(world)
    await move(world, mover, "https://dead.example/")
    await world.run(0)
    assert len(world.sender.to("https://dead.example/")) == 1
    await world.run(3)
    state = await world.storage.dispatch.load(bucket_of("acme", "crm"))
    assert not state.debts
    for answer in answers:
        answer.set()


async def test_a_debt_whose_flush_was_committed_and_said_to_have_failed_is_paid_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    store, settle = world.storage.dispatch, world.storage.dispatch.settle

    async def commit_and_fail(settlements: Sequence[BucketSettlement]) -> frozenset[int]:
        await settle(settlements)
        raise StorageUnavailable("the connection was lost at the commit")

    await world.publish()
    with monkeypatch.context() as broken:
        broken.setattr(store, "settle", commit_and_fail)
        while not (await store.load(webhook.bucket)).debts:
            try:
                await world.run(0.5)
            except StorageUnavailable:
                continue
        world.sender.behave(URL, OK)
        await world.switch(webhook, enabled=False)
        with pytest.raises(StorageUnavailable):
            await world.run(3)
    await world.run(3)
    assert not (await store.load(webhook.bucket)).debts


async def test_hints_that_never_cease_do_not_keep_the_log_from_being_read(world: World) -> None:
    """One tenant publishes all the time; another's events were missed by the hints."""
    await world.register(URL, account="quiet")
    await world.register(f"{URL}/busy", account="busy")
    await world.run(2)
    deaf(world)
    await world.publish(account="quiet")
    dispatcher = world.dispatch.dispatcher
    world.storage.log.watch(dispatcher.appended)
    for _ in range(30):
        await world.publish(account="busy")
        await world.clock.advance(0.1)
        await dispatcher.run_once()
        await world.land()
    assert len(world.sender.to(URL)) == 1
