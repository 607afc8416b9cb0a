"""When webhooks are pinged, how often, and what about (contract 1.6; mechanics D1, D3, D4)."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from tests.simulation.endpoints import ERROR, OK
from tests.simulation.world import World
from tidings.domain import limits
from tidings.domain.dispatch import ReadNote
from tidings.domain.filter import ApplicationFilter
from tidings.domain.signing import verify
from tidings.domain.webhook import Webhook
from tidings.ports import SendOutcome

pytestmark = pytest.mark.anyio

URL = "https://endpoint.example/hook"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = await World.open(tmp_path / "tidings.db")
    yield opened
    await opened.close()


def read_note(
    world: World, webhook: Webhook, position: int, *, has_more: bool, asked: int | None = None
) -> ReadNote:
    return ReadNote(
        bucket=webhook.bucket,
        webhook_id=webhook.webhook_id,
        account=webhook.account,
        key_id="key_1",
        listed_at=world.clock.now(),
        read_position=position,
        has_more=has_more,
        asked=asked,
    )


async def test_a_publish_is_followed_by_one_signed_ping_that_covers_it(world: World) -> None:
    webhook = await world.register()
    receipt = await world.publish(3)
    await world.run(50)
    (ping,) = world.sender.sent
    assert ping.json["webhookId"] == webhook.webhook_id
    assert ping.json["locator"] == {
        "accountId": "acme",
        "solutionId": "crm",
        "applicationId": "people",
    }
    assert ping.covered == receipt.last_position
    assert ping.notification_id == f"{webhook.webhook_id}.{receipt.last_position}"
    verify([webhook.secret], ping.headers, ping.body, now=world.clock.now())


async def test_the_first_ping_after_quiet_goes_at_once(world: World) -> None:
    await world.register()
    await world.run(100)
    await world.publish()
    await world.run(0)
    assert len(world.sender.sent) == 1


async def test_what_a_webhook_does_not_cover_is_no_reason_to_ping_it(world: World) -> None:
    await world.register(wanted=ApplicationFilter("people", ("name",)))
    await world.publish(application="deals")
    await world.publish(application="people", changed=["stage"])
    await world.publish(solution="erp")
    await world.publish(account="other")
    await world.run(10)
    assert not world.sender.sent
    await world.publish(application="people", changed=["stage", "name"])
    await world.run(0)
    assert len(world.sender.sent) == 1


async def test_a_webhook_has_one_ping_in_flight_and_the_next_covers_the_rest(world: World) -> None:
    await world.register()
    answer = world.sender.hold(URL)
    await world.publish()
    await world.run(1)
    for _ in range(5):
        last = await world.publish()
        await world.run(1)
    assert len(world.sender.sent) == 1
    answer.set()
    await world.run(5)
    assert [ping.covered for ping in world.sender.sent][1:] == [last.last_position]
    assert world.sender.most_in_flight == 1


async def test_pings_to_one_webhook_keep_a_second_apart(world: World) -> None:
    await world.register()
    for _ in range(100):
        last = await world.publish()
        await world.run(0.05)
    await world.run(5)
    times = [ping.at for ping in world.sender.sent]
    assert 5 <= len(times) <= 7
    assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(times))
    assert world.sender.sent[-1].covered == last.last_position


async def test_the_webhooks_of_one_key_are_pinged_three_times_a_second_at_most(
    world: World,
) -> None:
    webhooks = [await world.register(f"{URL}/{n}") for n in range(9)]
    await world.run(0)
    for webhook in webhooks:
        world.reads.note_read(read_note(world, webhook, 1, has_more=False))
    await world.publish()
    await world.run(10)
    times = [ping.at for ping in world.sender.sent]
    assert len(times) == 9
    assert all(times[n + 3] - times[n] >= 1.0 for n in range(6))


async def test_webhooks_that_no_key_has_listed_are_pinged_at_once(world: World) -> None:
    for n in range(30):
        await world.register(f"{URL}/{n}", account=f"account-{n}")
        await world.publish(account=f"account-{n}")
    await world.run(0)
    assert len(world.sender.sent) == 30


async def test_a_page_that_left_more_is_followed_by_a_ping_of_its_own_id(world: World) -> None:
    """At once when its reader goes on by the token, after 5 s when no token came (D1)."""
    webhook = await world.register()
    receipt = await world.publish(100)
    await world.run(10)
    assert receipt.first_position is not None
    page = receipt.first_position + 49
    world.reads.note_read(read_note(world, webhook, page, has_more=True))
    await world.run(4.9)
    assert len(world.sender.sent) == 1
    await world.run(0.2)
    assert len(world.sender.sent) == 2
    await world.run(10)
    world.reads.note_read(read_note(world, webhook, page + 25, has_more=True, asked=page))
    await world.run(0)
    assert len(world.sender.sent) == 3
    world.reads.note_read(read_note(world, webhook, page + 50, has_more=False, asked=page + 25))
    await world.run(100)
    ids = [ping.notification_id for ping in world.sender.sent]
    assert len(set(ids)) == 3, "receivers drop an id that they have seen"
    assert all(".r" in identity for identity in ids[1:])


async def test_a_page_that_left_nothing_calls_a_follow_up_off(world: World) -> None:
    webhook = await world.register()
    await world.publish(100)
    await world.run(10)
    world.reads.note_read(read_note(world, webhook, 1, has_more=True))
    world.reads.note_read(read_note(world, webhook, 2, has_more=False))
    await world.run(30)
    assert len(world.sender.sent) == 1


async def test_nothing_is_sent_while_disabled_and_one_ping_on_enabling_if_events_wait(
    world: World,
) -> None:
    webhook = await world.register(enabled=False)
    receipt = await world.publish(5)
    await world.run(100)
    assert not world.sender.sent
    await world.switch(webhook, enabled=True)
    await world.run(50)
    assert [ping.covered for ping in world.sender.sent] == [receipt.last_position]


async def test_enabling_pings_nobody_who_has_read_everything(world: World) -> None:
    webhook = await world.register(enabled=False)
    receipt = await world.publish()
    await world.run(1)
    assert receipt.last_position is not None
    world.reads.note_read(read_note(world, webhook, receipt.last_position, has_more=False))
    await world.switch(webhook, enabled=True)
    await world.run(100)
    assert not world.sender.sent


async def test_whether_a_webhook_is_enabled_is_judged_when_sending(world: World) -> None:
    """The dispatcher hasn't read the control entry yet: the row decides."""
    webhook = await world.register()
    await world.run(1)
    await world.publish()
    world.dispatch.unwatch()
    await world.switch(webhook, enabled=False)
    await world.run(0)
    assert not world.sender.sent


async def test_a_deleted_webhook_is_pinged_no_more_and_its_flight_is_aborted(world: World) -> None:
    webhook = await world.register()
    world.sender.hold(URL)
    await world.publish()
    await world.run(1)
    assert world.sender.in_flight == 1
    await world.storage.webhooks.delete(webhook)
    await world.run(0)
    assert world.sender.in_flight == 0
    await world.publish()
    await world.run(100)
    assert len(world.sender.sent) == 1


async def test_a_webhook_that_starts_in_the_past_is_told_of_what_waits(world: World) -> None:
    await world.publish(3)
    start_at = world.clock.now()
    await world.run(60)
    template = await world.register("https://other.example/")
    await world.storage.webhooks.create(
        msgspec.structs.replace(
            template,
            webhook_id=template.webhook_id[:-4] + "beef",
            notifications=msgspec.structs.replace(template.notifications, url=URL),
        ),
        start_at=start_at,
    )
    await world.run(1)
    assert len(world.sender.to(URL)) == 1
    assert not world.sender.to("https://other.example/")


async def test_attempts_are_written_for_people_to_see(world: World) -> None:
    webhook = await world.register()
    receipt = await world.publish()
    await world.run(2)
    (attempt,) = await world.storage.dispatch.attempts_of(webhook.bucket, webhook.webhook_id, 10)
    assert (attempt.status, attempt.error) == (200, None)
    assert attempt.covered == receipt.last_position


async def locators(world: World) -> list[dict[str, object]]:
    """Return what pings since the last call say beyond their account and solution."""
    await world.run(2)
    told: list[dict[str, object]] = []
    for ping in world.sender.sent:
        locator = dict(ping.json["locator"])
        assert (locator.pop("accountId"), locator.pop("solutionId")) == ("acme", "crm")
        told.append(locator)
    world.sender.sent.clear()
    return told


async def test_a_ping_names_the_application_and_the_fields_that_all_its_events_share(
    world: World,
) -> None:
    await world.register()
    await world.publish(application="people", changed=["name", "age"])
    assert await locators(world) == [{"applicationId": "people", "fieldIds": ["age", "name"]}]
    answer = world.sender.hold(URL)
    await world.publish(application="people", changed=["name"])
    await world.run(1)
    await world.publish(application="deals", changed=["stage"])
    await world.publish(application="deals", changed=["sum", "stage"])
    answer.set()
    assert await locators(world) == [
        {"applicationId": "people", "fieldIds": ["name"]},
        {"applicationId": "deals", "fieldIds": ["stage", "sum"]},
    ]


async def test_a_ping_names_no_fields_where_one_of_its_events_has_none_or_too_many(
    world: World,
) -> None:
    await world.register()
    answer = world.sender.hold(URL)
    await world.publish(changed=["name"])
    await world.run(1)
    await world.publish(changed=["name"])
    await world.publish()
    answer.set()
    assert (await locators(world))[1:] == [{"applicationId": "people"}]
    await world.publish(changed=[f"f{n}" for n in range(limits.PING_FIELDS)])
    assert len(str(await locators(world))) > limits.PING_FIELDS
    await world.publish(changed=[f"f{n}" for n in range(limits.PING_FIELDS + 1)])
    assert await locators(world) == [{"applicationId": "people"}]


async def test_a_ping_names_no_application_where_its_events_are_of_two(world: World) -> None:
    await world.register()
    answer = world.sender.hold(URL)
    await world.publish(changed=["name"])
    await world.run(1)
    await world.publish(application="people", changed=["name"])
    await world.publish(application="deals", changed=["name"])
    await world.publish(application="people", changed=["name"])
    answer.set()
    assert (await locators(world))[1:] == [{}]


async def test_a_ping_names_nothing_where_what_it_covers_is_not_known_for_sure(
    world: World,
) -> None:
    """In a retry, on enabling, after a crash, in a reminder."""
    webhook = await world.register()
    world.sender.behave(URL, ERROR)
    await world.publish(changed=["name"])
    await world.run(1)
    world.sender.behave(URL, OK)
    await world.run(10)
    assert await locators(world) == [{"applicationId": "people", "fieldIds": ["name"]}, {}]
    await world.switch(webhook, enabled=False)
    await world.publish(changed=["name"])
    await world.run(1)
    await world.switch(webhook, enabled=True)
    assert await locators(world) == [{}]
    await world.run(60)
    assert await locators(world) == [{}]
    answer = world.sender.hold(URL)
    await world.publish(changed=["name"])
    await world.run(3)
    await world.crash()
    world.sender.sent.clear()
    await world.start()
    answer.set()
    assert await locators(world) == [{}]


@pytest.mark.parametrize("outcome", [OK, SendOutcome(status=410)])
async def test_an_answer_from_where_it_no_longer_goes_counts_for_nothing(
    world: World, outcome: SendOutcome
) -> None:
    webhook = await world.register(URL)
    world.sender.behave(URL, outcome)
    answer = world.sender.hold(URL)
    await world.publish()
    await world.run(2)
    row = await world.storage.webhooks.get(webhook.bucket, webhook.webhook_id)
    assert row is not None
    there = msgspec.structs.replace(row.notifications, url=f"{URL}/new")
    await world.storage.webhooks.update(msgspec.structs.replace(row, notifications=there))
    await world.run(2)
    answer.set()
    await world.run(3)
    assert len(world.sender.to(f"{URL}/new")) == 1
