"""What time does to a webhook, at its second, and what leads it back (contract 1.7; L8, P7).

Sweeps come once a day here, and a gap of a day is none: what is due sooner is swept sooner all the
same, and a fortnight takes twenty sweeps. The tests of downtime and of clocks that jump sweep each
minute, as in production.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.simulation.world import World
from tidings import telemetry
from tidings.domain import limits
from tidings.domain.address import AddressPolicy
from tidings.domain.instants import parse_instant
from tidings.domain.lifecycle import STEPS, Stage
from tidings.domain.webhook import Webhook
from tidings.domain.webhook_messages import EventListWish, WebhookListWish, WebhookWish
from tidings.engine.arrivals import Arrivals
from tidings.engine.listing import Listing
from tidings.engine.sweeper import Sweeper
from tidings.engine.webhooks import Webhooks
from tidings.errors import ClockAhead, NotFound, StorageUnavailable

pytestmark = pytest.mark.anyio

URL = "https://endpoint.example/hook"
DAY = timedelta(days=1)
MILLISECOND = timedelta(milliseconds=1)
HOUR_SECONDS = 3_600.0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = await World.open(tmp_path / "tidings.db")
    yield opened
    await opened.close()


@pytest.fixture
def daily(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SWEEP_SECONDS", DAY.total_seconds())
    monkeypatch.setattr(limits, "DOWNTIME_SECONDS", DAY.total_seconds())


async def live(world: World, webhook: Webhook, age: timedelta) -> None:
    """Let time pass until the webhook is of this age, sweeping when a sweeper wishes to.

    It has no chores: their wishes would bring it each minute.
    """
    sweeper, until = Sweeper(world.storage.lifecycle, world.clock), webhook.created.at + age
    while (left := (until - world.clock.now()).total_seconds()) > 0:
        pause = await sweeper.run_once()
        await world.clock.advance(min(left, pause))
    while await sweeper.run_once() == 0:
        pass


async def found(world: World, webhook: Webhook) -> Webhook | None:
    return await world.storage.webhooks.get(webhook.bucket, webhook.webhook_id)


async def stage_of(world: World, webhook: Webhook) -> Stage | None:
    row = await found(world, webhook)
    return None if row is None else row.stage


async def list_events(world: World, webhook: Webhook) -> None:
    """List a page, and write its answer."""
    listing = Listing(world.storage, world.clock, Arrivals(hints=True), world.reads)
    wish = EventListWish(webhook_id=webhook.webhook_id, token=None, page_size=50, wait_seconds=0)
    listing.written(await listing.list(webhook.account, "key_1", wish))


@pytest.mark.usefixtures("daily")
async def test_a_webhook_that_nobody_lists_takes_each_step_at_its_millisecond(
    world: World,
) -> None:
    webhook = await world.register(URL)
    for step in STEPS:
        await live(world, webhook, step.after - MILLISECOND)
        assert await stage_of(world, webhook) == step.leaves
        await live(world, webhook, step.after)
        assert await stage_of(world, webhook) == step.enters


@pytest.mark.usefixtures("daily")
@pytest.mark.parametrize("days", [6, 7, 10, 13, 13.99])
async def test_listing_in_the_grace_days_gives_seven_new_days(world: World, days: float) -> None:
    webhook = await world.register(URL)
    await live(world, webhook, days * DAY)
    listed_at = world.clock.now()
    await list_events(world, webhook)
    revived = await found(world, webhook)
    assert revived is not None
    assert (revived.stage, revived.extended_at) == (Stage.ACTIVE, listed_at)
    await live(world, webhook, (days + 7) * DAY - MILLISECOND)
    assert await stage_of(world, webhook) == Stage.WARNED
    await live(world, webhook, (days + 7) * DAY)
    assert await stage_of(world, webhook) == Stage.EXPIRED


@pytest.mark.usefixtures("daily")
async def test_a_listing_that_was_gathered_counts_from_when_it_was_answered(world: World) -> None:
    webhook = await world.register(URL)
    await live(world, webhook, 3 * DAY)
    await list_events(world, webhook)
    await world.reads.run_once()
    await live(world, webhook, 10 * DAY - MILLISECOND)
    assert await stage_of(world, webhook) == Stage.WARNED
    await live(world, webhook, 10 * DAY)
    assert await stage_of(world, webhook) == Stage.EXPIRED


@pytest.mark.usefixtures("daily")
async def test_nothing_but_listing_extends(world: World) -> None:
    webhook = await world.register(URL)
    service = Webhooks(world.storage.webhooks, world.clock, AddressPolicy())
    wish = WebhookWish(
        webhook_id=webhook.webhook_id,
        account="",
        solution="",
        filter=None,
        kinds=None,
        notifications=None,
        start_at=None,
    )
    for days in (5, 6.5, 7, 13.5):
        await live(world, webhook, days * DAY)
        await world.publish()
        await service.get(webhook.account, webhook.webhook_id)
        await service.list(webhook.account, WebhookListWish(None, 50, 0))
        await service.update(webhook.account, "Jane Doe", wish)
    await live(world, webhook, 14 * DAY)
    assert await found(world, webhook) is None


@pytest.mark.usefixtures("daily")
async def test_pings_stop_at_the_first_limit_and_go_on_after_a_listing(world: World) -> None:
    webhook = await world.register(URL)
    await live(world, webhook, 7 * DAY)
    await world.run(5)
    before = len(world.sender.to(URL))
    await world.publish()
    await world.run(5)
    assert len(world.sender.to(URL)) == before
    await list_events(world, webhook)
    await world.publish()
    await world.run(5)
    assert len(world.sender.to(URL)) > before


@pytest.mark.usefixtures("daily")
@pytest.mark.parametrize(("days", "limit"), [(6, 7), (13, 14)])
async def test_a_day_before_each_limit_the_owner_is_told_once_by_a_ping_of_its_own(
    world: World, days: int, limit: int
) -> None:
    webhook = await world.register(URL)
    await live(world, webhook, days * DAY)
    await world.run(3)
    [told] = [sent for sent in world.sender.to(URL) if "notice" in sent.json]
    assert told.json["notice"] == "EXPIRES_SOON"
    assert parse_instant(told.json["expiresAt"]) == webhook.created.at + limit * DAY
    held = await found(world, webhook)
    assert held is not None
    assert held.notice is not None
    assert told.notification_id == f"{webhook.webhook_id}.n{held.notice.number}"


@pytest.mark.usefixtures("daily")
@pytest.mark.parametrize("days", [6, 13])
async def test_an_owner_who_wants_no_pings_gets_no_warning_by_one(world: World, days: int) -> None:
    webhook = await world.register(URL, enabled=False)
    await live(world, webhook, days * DAY)
    await world.run(3)
    assert world.sender.to(URL) == []


@pytest.mark.usefixtures("daily")
async def test_collection_never_stops_before_the_end(world: World) -> None:
    webhook = await world.register(URL)
    published = []
    for days in (1, 6.5, 7.5, 13.5):
        await live(world, webhook, days * DAY)
        published.append((await world.publish()).last_position)
    listing = Listing(world.storage, world.clock, Arrivals(hints=True), world.reads)
    wish = EventListWish(webhook_id=webhook.webhook_id, token=None, page_size=50, wait_seconds=0)
    page = await listing.list(webhook.account, "key_1", wish)
    for position in published:
        assert f"{webhook.webhook_id}.{position}".encode() in page.body


@pytest.mark.usefixtures("daily")
async def test_each_move_is_logged_once_with_its_webhook(world: World) -> None:
    webhook = await world.register(URL)
    with capture_logs() as logs:
        await live(world, webhook, 13 * DAY)
        await list_events(world, webhook)
        await live(world, webhook, 27 * DAY)
    told = [log["event"] for log in logs if log.get("webhook_id") == webhook.webhook_id]
    lapse = [telemetry.WEBHOOK_WARNED, telemetry.WEBHOOK_EXPIRED, telemetry.WEBHOOK_WARNED]
    assert told == [*lapse, telemetry.WEBHOOK_REVIVED, *lapse, telemetry.WEBHOOK_DELETED]


# --- what is lost, and what can't be written ----------------------------------------------------


async def test_a_lost_flush_shortens_a_steady_readers_days_by_at_most_the_flush_interval(
    world: World,
) -> None:
    webhook = await world.register(URL)
    for _ in range(30):
        await world.run(0.5)
        await list_events(world, webhook)
    listed_at = world.clock.now()
    await world.crash()
    await world.start()
    stored = await found(world, webhook)
    assert stored is not None
    assert stored.extended_at is not None
    lost = (listed_at - stored.extended_at).total_seconds()
    assert 0 < lost <= limits.FLUSH_SECONDS


@pytest.mark.usefixtures("daily")
@pytest.mark.parametrize(("days", "answered"), [(5.99, True), (6, False), (9, False), (13, False)])
async def test_listing_works_without_writes_but_near_a_limit(
    world: World, monkeypatch: pytest.MonkeyPatch, days: float, answered: bool
) -> None:
    webhook = await world.register(URL)
    await live(world, webhook, days * DAY)

    async def full(*_: object, **__: object) -> None:
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr(world.storage.lifecycle, "extend", full)
    monkeypatch.setattr(world.storage.dispatch, "note_reads", full)
    if answered:
        await list_events(world, webhook)
        return
    with pytest.raises(StorageUnavailable):
        await list_events(world, webhook)


@pytest.mark.usefixtures("daily")
async def test_a_listing_at_the_end_is_not_found_though_no_sweep_has_come(world: World) -> None:
    webhook = await world.register(URL)
    await live(world, webhook, 14 * DAY - MILLISECOND)
    await world.clock.advance(0.001)
    with pytest.raises(NotFound):
        await list_events(world, webhook)


# --- downtime and clocks that jump (mechanics L8) ------------------------------------------------


@pytest.mark.parametrize("days", [8, 15])
async def test_an_engine_that_was_down_for_days_deletes_nothing_and_shortens_nothing(
    world: World, days: int
) -> None:
    webhook = await world.register(URL)
    await world.run(90)
    await world.crash()
    await world.clock.advance(days * DAY.total_seconds())
    with capture_logs() as logs:
        await world.start()
    assert [log["event"] for log in logs] == [telemetry.SWEEP_PAUSED]
    for _ in range(3):
        await world.run(60)
    held = await found(world, webhook)
    assert held is not None
    assert held.stage is Stage.ACTIVE
    assert held.extended_at is not None
    down = held.extended_at - webhook.created.at
    assert 0 <= (down - days * DAY).total_seconds() <= limits.SWEEP_SECONDS
    await list_events(world, webhook)


@pytest.mark.usefixtures("daily")
async def test_downtime_in_the_last_hour_leaves_that_hour(world: World) -> None:
    webhook = await world.register(URL)
    await live(world, webhook, 14 * DAY - timedelta(hours=1))
    await world.crash()
    await world.clock.advance(15 * DAY.total_seconds())
    await world.start()
    await live(world, webhook, 29 * DAY - MILLISECOND)
    assert await stage_of(world, webhook) == Stage.LAST_WARNED
    await list_events(world, webhook)
    assert await stage_of(world, webhook) == Stage.ACTIVE


async def test_a_restart_within_ten_minutes_adds_nothing(world: World) -> None:
    webhook = await world.register(URL)
    await world.run(60)
    await world.crash()
    await world.clock.advance(limits.DOWNTIME_SECONDS - 60)
    await world.start()
    held = await found(world, webhook)
    assert held is not None
    assert held.extended_at == webhook.created.at


@pytest.mark.parametrize("seconds", [HOUR_SECONDS, -HOUR_SECONDS])
async def test_a_clock_that_jumps_by_an_hour_leaves_each_webhook_the_time_it_had(
    world: World, seconds: float
) -> None:
    webhook = await world.register(URL)
    await world.run(90)
    swept = (await world.storage.lifecycle.time()).swept_at
    assert swept is not None
    world.clock.shift(seconds)
    await world.run(120)
    await world.publish()
    held = await found(world, webhook)
    assert held is not None
    assert held.extended_at is not None
    moved = (held.extended_at - webhook.created.at).total_seconds()
    assert 0 <= moved - seconds <= limits.SWEEP_SECONDS
    await list_events(world, webhook)
    world.clock.shift(-seconds)
    await world.run(120)
    assert await stage_of(world, webhook) is Stage.ACTIVE
    await world.publish()
    await list_events(world, webhook)


async def test_a_clock_far_ahead_is_alarmed_of_and_changes_nothing_until_it_is_set_right(
    world: World,
) -> None:
    webhook = await world.register(URL)
    await world.run(60)
    kept = await world.storage.lifecycle.time()
    world.clock.shift(30 * DAY.total_seconds())
    with capture_logs() as logs:
        assert await world.sweeper.run_once() == limits.SWEEP_SECONDS
    assert [log["event"] for log in logs] == [telemetry.CLOCK_AHEAD]
    hindrances = [world.sweeper.hindrance]
    assert (await world.storage.lifecycle.time()).swept_at == kept.swept_at
    with pytest.raises(ClockAhead):
        await world.publish()
    with pytest.raises(ClockAhead):
        await list_events(world, webhook)
    world.clock.shift(-30 * DAY.total_seconds())
    await world.run(60)
    hindrances.append(world.sweeper.hindrance)
    assert hindrances == ["the server's clock runs over an hour ahead", None]
    await world.publish()
    await list_events(world, webhook)
    held = await found(world, webhook)
    assert held is not None
    assert (held.stage, held.revision) == (Stage.ACTIVE, webhook.revision)
