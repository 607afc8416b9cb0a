"""ListEvents, by contract 1.2 to 1.5 and mechanics P1 to P7 and D1."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.api.installation import ACCOUNT, SOLUTION, Installation
from tidings.domain.kinds import Kind
from tidings.domain.log_entry import Page, PageQuery
from tidings.domain.positions import PER_MINUTE, position_at, previous_day_start
from tidings.engine.known_webhooks import KnownWebhooks
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


async def list_events(installation: Installation, webhook: Any, **request: Any) -> Any:
    body = {"webhook_id": webhook["webhook_id"], **request}
    return await installation.call("ListEvents", body)


def positions(page: Any) -> list[int]:
    return [int(event["event_id"].rsplit(".", 1)[1]) for event in page["events"]]


async def test_an_event_is_listed_as_the_contract_prints_it(installation: Installation) -> None:
    webhook = await installation.new_webhook()
    receipt = await installation.publish()
    page = await list_events(installation, webhook, page_size="50", page_token="")
    assert page == {
        "events": [
            {
                "webhook_id": webhook["webhook_id"],
                "locator": {"account_id": ACCOUNT, "solution_id": SOLUTION},
                "event_id": f"{webhook['webhook_id']}.{receipt.first_position}",
                "kind": "RECORD_CREATED",
                "record_event_data": {"record_id": "r0"},
            }
        ],
        "next_page_token": str(receipt.last_position),
        "has_more": False,
    }


async def test_what_happened_before_a_webhook_is_not_its_event(installation: Installation) -> None:
    await installation.publish(3)
    webhook = await installation.new_webhook()
    receipt = await installation.publish(2)
    page = await list_events(installation, webhook)
    assert positions(page) == [receipt.first_position, receipt.last_position]


async def test_a_webhook_with_start_at_sees_what_happened_from_then_on(
    installation: Installation, clock: ManualClock
) -> None:
    await installation.publish(2)
    await clock.advance(60)
    after = await installation.publish(3)
    await clock.advance(60)
    webhook = await installation.new_webhook(start_at="2026-01-15T12:01:00Z")
    page = await list_events(installation, webhook)
    assert positions(page)[0] == after.first_position
    assert len(page["events"]) == 3


async def test_a_token_older_than_the_beginning_means_the_beginning(
    installation: Installation,
) -> None:
    await installation.publish(3)
    webhook = await installation.new_webhook()
    receipt = await installation.publish()
    page = await list_events(installation, webhook, page_token="1")
    assert positions(page) == [receipt.first_position]
    assert "events_expired" not in page


@pytest.mark.parametrize("has_more_at", [9, 10, 11])
async def test_has_more_is_exact(installation: Installation, has_more_at: int) -> None:
    webhook = await installation.new_webhook()
    await installation.publish(10)
    page = await list_events(installation, webhook, page_size=has_more_at)
    assert page["has_more"] == (has_more_at < 10)


async def test_has_more_counts_covered_events_alone(installation: Installation) -> None:
    webhook = await installation.new_webhook(kinds=["RECORD_CREATED"])
    await installation.publish(5)
    await installation.publish(5, kind=Kind.RECORD_DELETED)
    page = await list_events(installation, webhook, page_size=5)
    assert (len(page["events"]), page["has_more"]) == (5, False)


async def test_a_token_is_exclusive_and_a_number_too(installation: Installation) -> None:
    webhook = await installation.new_webhook()
    await installation.publish(3)
    first = await list_events(installation, webhook, page_size=1)
    token = first["next_page_token"]
    for page_token in (token, int(token)):
        page = await list_events(installation, webhook, page_token=page_token)
        assert positions(first) + positions(page) == sorted({*positions(first), *positions(page)})
        assert len(page["events"]) == 2


async def test_an_empty_page_returns_the_same_or_a_later_token(installation: Installation) -> None:
    webhook = await installation.new_webhook()
    receipt = await installation.publish()
    token = str(receipt.last_position)
    page = await list_events(installation, webhook, page_token=token)
    assert page == {"events": [], "next_page_token": token, "has_more": False}


async def test_a_quiet_webhooks_token_follows_the_previous_day_and_skips_nothing(
    installation: Installation, clock: ManualClock
) -> None:
    webhook = await installation.new_webhook()
    page = await list_events(installation, webhook)
    await clock.advance(10 * 86_400)
    page = await list_events(installation, webhook, page_token=page["next_page_token"])
    assert int(page["next_page_token"]) == previous_day_start(clock.now())
    await installation.publish(2)
    page = await list_events(installation, webhook, page_token=page["next_page_token"])
    assert len(page["events"]) == 2


async def test_an_empty_page_tells_nothing_of_neighbours_in_the_bucket(
    installation: Installation,
) -> None:
    webhook = await installation.new_webhook()
    quiet = await list_events(installation, webhook)
    for neighbour in range(300):
        await installation.publish(solution=f"neighbour-{neighbour}")
    assert await list_events(installation, webhook) == quiet


async def test_a_token_past_the_end_is_answered_empty_and_never_goes_back(
    installation: Installation, clock: ManualClock
) -> None:
    webhook = await installation.new_webhook()
    await installation.publish()
    ahead = position_at(clock.now()) + PER_MINUTE // 2
    page = await list_events(installation, webhook, page_token=str(ahead))
    assert page == {"events": [], "next_page_token": str(ahead), "has_more": False}


async def test_a_token_over_a_minute_ahead_is_refused_by_name(
    installation: Installation, clock: ManualClock
) -> None:
    webhook = await installation.new_webhook()
    ahead = position_at(clock.now()) + 2 * PER_MINUTE
    body = {"webhook_id": webhook["webhook_id"], "page_token": str(ahead)}
    answer = await installation.post("ListEvents", body)
    assert (answer.status_code, answer.json()["meta"]) == (400, {"argument": "page_token"})


async def test_a_token_that_we_issued_survives_a_clock_that_steps_back(
    installation: Installation, clock: ManualClock
) -> None:
    webhook = await installation.new_webhook()
    await installation.publish(2)
    page = await list_events(installation, webhook)
    clock.shift(-86_400)
    await installation.publish(2)
    page = await list_events(installation, webhook, page_token=page["next_page_token"])
    assert len(page["events"]) == 2


@pytest.mark.parametrize("field", ["page_token", "page_size", "wait_seconds", "webhook_id"])
async def test_a_malformed_argument_is_refused_by_name(
    installation: Installation, field: str
) -> None:
    webhook = await installation.new_webhook()
    body = {"webhook_id": webhook["webhook_id"], field: ["nonsense"]}
    answer = await installation.post("ListEvents", body)
    assert (answer.status_code, answer.json()["meta"]) == (400, {"argument": field})


async def test_one_page_of_fifty_a_ping_sees_a_backlog_of_a_thousand_once(
    installation: Installation,
) -> None:
    webhook = await installation.new_webhook()
    for _ in range(10):
        await installation.publish(100)
    seen: list[int] = []
    token, pings = "", 0
    while True:
        page = await list_events(installation, webhook, page_size=50, page_token=token)
        token, pings = page["next_page_token"], pings + 1
        seen += positions(page)
        if not page["has_more"]:
            break
    assert seen == sorted(set(seen))
    assert (len(seen), pings) == (1_000, 20)


async def test_a_loop_to_the_empty_page_sees_a_backlog_of_a_thousand_once(
    installation: Installation,
) -> None:
    webhook = await installation.new_webhook()
    await installation.publish(1_000)
    seen: list[int] = []
    token = ""
    while page := await list_events(installation, webhook, page_token=token):
        token = page["next_page_token"]
        if not page["events"]:
            break
        seen += positions(page)
    assert (len(seen), seen) == (1_000, sorted(set(seen)))
    receipt = await installation.publish()
    page = await list_events(installation, webhook, page_token=token)
    assert positions(page) == [receipt.first_position]


async def test_a_walk_sees_each_event_once_while_writers_append(
    installation: Installation,
) -> None:
    webhook = await installation.new_webhook()
    published: list[int] = []

    async def write(batches: int) -> None:
        for _ in range(batches):
            receipt = await installation.publish(7)
            assert receipt.first_position is not None
            published.extend(range(receipt.first_position, receipt.first_position + 7))

    writers = asyncio.gather(*[write(15) for _ in range(4)])
    seen: list[int] = []
    token = ""
    while True:
        over = writers.done()
        page = await list_events(installation, webhook, page_size=11, page_token=token)
        token = page["next_page_token"]
        seen += positions(page)
        if over and not page["events"]:
            break
        await asyncio.sleep(0)  # a server would turn to its sockets here
    await writers
    assert seen == sorted(published)


async def test_a_filter_takes_effect_at_the_position_where_it_was_made(
    installation: Installation,
) -> None:
    webhook = await installation.new_webhook(kinds=["RECORD_CREATED"])
    first = await installation.publish()
    await installation.publish(kind=Kind.RECORD_DELETED)
    wish = {"webhook_id": webhook["webhook_id"], "kinds": ["RECORD_DELETED"]}
    await installation.call("UpdateWebhook", {"webhook": wish})
    await installation.publish()
    last = await installation.publish(kind=Kind.RECORD_DELETED)
    page = await list_events(installation, webhook)
    assert positions(page) == [first.first_position, last.first_position]


async def test_a_field_filter_lists_the_updates_that_changed_its_fields(
    installation: Installation,
) -> None:
    wanted = {"application": {"application_id": "app-1", "field_ids": ["title"]}}
    webhook = await installation.new_webhook(filter=wanted)
    title = await installation.publish(kind=Kind.RECORD_UPDATED, changed=["title", "status"])
    await installation.publish(kind=Kind.RECORD_UPDATED, changed=["status"])
    await installation.publish(application="app-2", kind=Kind.RECORD_UPDATED, changed=["title"])
    created = await installation.publish()
    page = await list_events(installation, webhook)
    assert positions(page) == [title.first_position, created.first_position]


async def test_a_filter_that_changes_in_the_midst_of_a_page_hides_nothing(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await installation.new_webhook(kinds=["RECORD_CREATED"])
    log = installation.storage.log
    read_page = log.read_page

    async def changing_first(query: PageQuery) -> Page:
        """Change the filter and publish, after the webhook was read and before the page is."""
        monkeypatch.setattr(log, "read_page", read_page)
        wish = {"webhook_id": webhook["webhook_id"], "kinds": ["RECORD_DELETED"]}
        await installation.call("UpdateWebhook", {"webhook": wish})
        await installation.publish(kind=Kind.RECORD_DELETED)
        return await read_page(query)

    monkeypatch.setattr(log, "read_page", changing_first)
    page = await list_events(installation, webhook)
    assert [event["kind"] for event in page["events"]] == ["RECORD_DELETED"]


async def test_what_changes_of_a_webhook_that_was_listed_holds_for_its_next_page(
    installation: Installation,
) -> None:
    """What a process remembers of it is out of date then, as it is after another one's change."""
    webhook = await installation.new_webhook(kinds=["RECORD_CREATED"])
    await installation.publish()
    page = await list_events(installation, webhook)
    wish = {"webhook_id": webhook["webhook_id"], "kinds": ["RECORD_DELETED"]}
    await installation.call("UpdateWebhook", {"webhook": wish})
    await installation.publish()
    deleted = await installation.publish(kind=Kind.RECORD_DELETED)
    page = await list_events(installation, webhook, page_token=page["next_page_token"])
    assert positions(page) == [deleted.first_position]
    await installation.call("DeleteWebhook", {"webhook_id": webhook["webhook_id"]})
    body = {"webhook_id": webhook["webhook_id"]}
    refused = await installation.post("ListEvents", body)
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


async def test_a_process_remembers_only_so_many_webhooks(installation: Installation) -> None:
    known = KnownWebhooks(installation.storage.webhooks, remembers=2)
    webhooks = [(await installation.new_webhook())["webhook_id"] for _ in range(3)]
    found = [await known.find(webhook_id) for webhook_id in webhooks]
    assert await known.find(webhooks[2]) is found[2]
    assert await known.find(webhooks[0]) is not found[0]
    assert await known.find(webhooks[0]) == found[0]


async def drop_all_before(installation: Installation, before: datetime) -> None:
    """Let retention drop what was published before an instant."""
    await installation.storage.retention.raise_floor(before)
    while await installation.storage.retention.drop_entries():
        pass


async def publish_on_five_days(installation: Installation, clock: ManualClock) -> list[int]:
    """Publish once a day; return where."""
    published = []
    for _ in range(5):
        receipt = await installation.publish()
        published.append(receipt.last_position or 0)
        await clock.advance(24 * 3_600)
    return published


async def test_a_token_behind_retention_is_told_and_goes_on_with_the_oldest_that_is_kept(
    installation: Installation, clock: ManualClock
) -> None:
    webhook = await installation.new_webhook()
    days = await publish_on_five_days(installation, clock)
    await drop_all_before(installation, clock.now() - timedelta(days=2))
    page = await list_events(installation, webhook, page_token=str(days[0]), page_size=1)
    assert positions(page) == [days[3]]
    assert page["events_expired"] is True
    rest = await list_events(installation, webhook, page_token=page["next_page_token"])
    assert positions(rest) == [days[4]]
    assert "events_expired" not in rest


async def test_no_token_is_never_told_that_events_expired(
    installation: Installation, clock: ManualClock
) -> None:
    webhook = await installation.new_webhook()
    days = await publish_on_five_days(installation, clock)
    await drop_all_before(installation, clock.now() - timedelta(days=2))
    for token in (None, "", 0):
        page = await list_events(installation, webhook, page_token=token)
        assert positions(page) == days[3:]
        assert ("events_expired" in page) == (token == 0)


async def test_it_is_the_greater_of_token_and_beginning_that_counts(
    installation: Installation, clock: ManualClock
) -> None:
    await publish_on_five_days(installation, clock)
    begins_at = clock.now()
    webhook = await installation.new_webhook()
    last = (await installation.publish()).last_position
    await drop_all_before(installation, begins_at)
    page = await list_events(installation, webhook, page_token="5")
    assert positions(page) == [last]
    assert "events_expired" not in page
    await clock.advance(1)
    await drop_all_before(installation, clock.now())
    page = await list_events(installation, webhook, page_token="5")
    assert (page["events"], page["events_expired"]) == ([], True)


async def test_a_walk_that_begins_behind_retention_says_so_once_and_ends(
    installation: Installation, clock: ManualClock
) -> None:
    """Also where all that followed its token is gone: the next token is a later one."""
    webhook = await installation.new_webhook()
    days = await publish_on_five_days(installation, clock)
    for _ in range(10):
        await list_events(installation, webhook)
        await clock.advance(2 * 24 * 3_600)
    await drop_all_before(installation, clock.now() - timedelta(days=15))
    gone = await list_events(installation, webhook, page_token=str(days[4]))
    assert (gone["events"], gone["has_more"], gone["events_expired"]) == ([], False, True)
    again = await list_events(installation, webhook, page_token=gone["next_page_token"])
    assert (again["events"], again.get("events_expired", False)) == ([], False)


async def test_a_quiet_webhook_that_is_listed_is_never_told_that_events_expired(
    installation: Installation, clock: ManualClock
) -> None:
    webhook = await installation.new_webhook()
    page = await list_events(installation, webhook)
    for _ in range(20):
        await clock.advance(2 * 24 * 3_600)
        await drop_all_before(installation, clock.now() - timedelta(days=15))
        page = await list_events(installation, webhook, page_token=page["next_page_token"])
        assert "events_expired" not in page


async def test_a_page_is_noted_as_read_once_it_is_written(
    installation: Installation, clock: ManualClock
) -> None:
    webhook = await installation.new_webhook()
    receipt = await installation.publish(3)
    page = await list_events(installation, webhook, page_size=2)
    await list_events(installation, webhook, page_token=page["next_page_token"])
    first, second = installation.notes
    assert (first.webhook_id, first.account) == (webhook["webhook_id"], ACCOUNT)
    assert first.listed_at == clock.now()
    assert (first.read_position, first.has_more, first.asked) == (
        int(page["next_page_token"]),
        True,
        None,
    )
    assert (second.read_position, second.has_more, second.asked) == (
        receipt.last_position,
        False,
        int(page["next_page_token"]),
    )


async def test_a_page_that_could_not_be_written_is_not_noted(installation: Installation) -> None:
    webhook = await installation.new_webhook()
    body = b'{"webhook_id":"%b"}' % webhook["webhook_id"].encode()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/smartsuite.webhooks.engine.Webhooks/ListEvents",
        "headers": [(b"authorization", b"Token " + installation.key.encode())],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        raise OSError("the connection is gone")

    with pytest.raises(OSError, match="the connection is gone"):
        await installation.app(scope, receive, send)
    assert installation.notes == []
