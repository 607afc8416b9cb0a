"""What an inbox promises, on SQLite and on PostgreSQL, in virtual time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.receiver.inboxes import SECRETS, name_of, receiver_at, work_off, work_until
from tests.receiver.senders import callback, callback_body, cell_event, message, ping, row_event
from tidings.domain import limits
from tidings.errors import ConfigurationError
from tidings.receiver import GiveUp, ReceivedEvent, Receiver
from tidings.receiver.inbox import DeadItem
from tidings.receiver.notification import Kept
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


async def test_what_was_kept_is_handled_once_and_only_after_the_answer(
    inbox: str, clock: ManualClock
) -> None:
    handled: list[ReceivedEvent] = []
    receiver = receiver_at(inbox, clock)
    receiver.on("row", "created")(handled.append)
    async with receiver:
        answer = await receiver.receive(callback("n", row_event(7, userId=3, extra={"new": 1})))
        assert (answer.status, answer.body, handled) == (200, b"", [])
        await work_off(receiver)
        [event] = handled
        assert (event.object_type, event.event_type, event.id, event.user_id) == (
            ("row", "created", 7, 3)
        )
        assert event.raw["extra"] == {"new": 1}
        assert (event.message_id, event.scope, event.envelope["scope"]) == ("n", "sheet", "sheet")
        await work_off(receiver)
        assert len(handled) == 1


async def test_a_repetition_is_answered_and_not_handled_again(
    inbox: str, clock: ManualClock
) -> None:
    handled: list[str] = []
    receiver = receiver_at(inbox, clock)
    receiver.on()(lambda event: handled.append(name_of(event)))
    receiver.on_ping(lambda event: handled.append(event.message_id))
    async with receiver:
        sent = [callback("n", row_event(1)), callback("n", row_event(1)), ping(5), ping(5)]
        answers = await asyncio.gather(*map(receiver.receive, sent))
        assert [answer.status for answer in answers] == [200] * 4
        await work_off(receiver)
        answer = await receiver.receive(callback("n", row_event(1)))
        assert answer.status == 200
        await work_off(receiver)
    assert sorted(handled) == ["row created 1", "w.5"]


async def test_a_repetition_is_known_after_a_restart_and_forgotten_in_time(
    inbox: str, clock: ManualClock
) -> None:
    handled: list[str] = []

    def receiver_again() -> Receiver:
        receiver = receiver_at(inbox, clock, remember=timedelta(days=1))
        receiver.on_ping(lambda event: handled.append(event.message_id))
        return receiver

    for days, count in ((0.0, 1), (0.9, 1), (0.2, 2)):
        await clock.advance(days * 86_400)
        async with (receiver := receiver_again()):
            await work_off(receiver)  # forgets
            again = message("w.1", {"webhookId": "w", "locator": {}}, at=clock.now())
            assert (await receiver.receive(again)).status == 200
            await work_off(receiver)
        assert len(handled) == count


async def test_events_of_one_object_keep_their_order_whatever_fails(
    inbox: str, clock: ManualClock
) -> None:
    handled: list[str] = []
    failures = {"row created 1": 2, "cell updated 1/5": 1}
    receiver = receiver_at(inbox, clock)

    @receiver.on()
    async def handle(event: ReceivedEvent) -> None:
        name = name_of(event)
        if failures.get(name, 0) > 0:
            failures[name] -= 1
            raise ValueError(name)
        handled.append(name)

    async with receiver:
        events = [row_event(1), cell_event(1, 5), row_event(2), row_event(1, "updated")]
        await receiver.receive(callback("n", *events))
        await receiver.receive(callback("m", row_event(1, "deleted")))
        await work_off(receiver)
        assert handled == ["row created 2"]
        await work_until(receiver, clock, 10)
    assert handled[1:] == [
        "row created 1",
        "cell updated 1/5",
        "row updated 1",
        "row deleted 1",
    ]


async def test_a_row_of_one_sheet_holds_up_no_row_of_another_that_has_its_number(
    inbox: str, clock: ManualClock
) -> None:
    handled: list[Any] = []
    receiver = receiver_at(inbox, clock)

    @receiver.on()
    def handle(event: ReceivedEvent) -> None:
        if event.scope_object_id == 1:
            raise ValueError
        handled.append((event.scope_object_id, event.id))

    async with receiver:
        for sheet in (1, 2):
            await receiver.receive(callback(str(sheet), row_event(7), scopeObjectId=sheet))
        await work_off(receiver)
    assert handled == [(2, 7)]


async def test_a_handler_that_fails_is_called_again_by_the_schedule_then_given_up(
    inbox: str, clock: ManualClock
) -> None:
    called: list[tuple[float, int]] = []
    receiver = receiver_at(inbox, clock, tries=4)

    @receiver.on("row")
    def handle(event: ReceivedEvent) -> None:
        called.append((clock.monotonic(), event.tries))
        raise ValueError("cell value 42\0")

    async with receiver:
        await receiver.receive(callback("n", row_event(1), row_event(1, "updated")))
        await work_until(receiver, clock, 30)
        first = called[:4]
        waits = [after[0] - before[0] for before, after in itertools.pairwise(first)]
        assert [tries for _, tries in first] == [0, 1, 2, 3]
        assert [round(wait, 6) for wait in waits] == pytest.approx([1, 2, 4], rel=0.1)
        assert len(called) == 8  # the object's next event had its turn
        letters = await receiver.dead_letters()
        assert [letter.event.event_type for letter in letters] == ["created", "updated"]
        assert letters[0].error == "ValueError: cell value 42"
        assert letters[0].tries == 4
        assert await receiver.dead_letters(after=letters[0].number) == letters[1:]


async def test_dead_letters_are_run_again_in_their_order_or_dropped(
    inbox: str, clock: ManualClock
) -> None:
    handled: list[str] = []
    broken = True
    receiver = receiver_at(inbox, clock)

    @receiver.on()
    def handle(event: ReceivedEvent) -> None:
        if broken:
            raise GiveUp("no use")
        handled.append(name_of(event))

    async with receiver:
        await receiver.receive(callback("n", row_event(1), row_event(1, "updated"), row_event(2)))
        await work_off(receiver)
        numbers = [letter.number for letter in await receiver.dead_letters()]
        assert len(numbers) == 3
        broken = False
        await receiver.receive(callback("m", row_event(1, "deleted")))
        assert await receiver.run_again(numbers[1::-1]) == 2
        assert await receiver.drop([numbers[2], 999]) == 1
        await work_off(receiver)
        assert await receiver.dead_letters() == []
        assert await receiver.run_again(numbers) == 0
    assert handled == ["row created 1", "row updated 1", "row deleted 1"]


async def test_a_dead_letter_that_goes_while_they_are_listed_is_left_out(
    inbox: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = receiver_at(inbox, clock, tries=1)
    receiver.on()(lambda event: 1 / 0)
    async with receiver:
        await receiver.receive(callback("n", *map(row_event, range(5))))
        await work_off(receiver)
        assert receiver._sitting is not None
        kept = receiver._sitting.inbox
        list_dead, read = kept.dead, kept.contents
        reads: list[int] = []

        async def read_and_count(notification: int) -> Kept | None:
            reads.append(notification)
            return await read(notification)

        async def drop_listed(*asked: Any) -> Sequence[DeadItem]:
            found = await list_dead(*asked)
            await receiver.drop([one.item.number for one in found])
            return found

        monkeypatch.setattr(kept, "contents", read_and_count)
        assert len(await receiver.dead_letters()) == 5
        assert len(reads) == 1, "a callback is read once for all its letters"
        monkeypatch.setattr(kept, "dead", drop_listed)
        assert await receiver.dead_letters() == []


async def test_nothing_is_left_of_what_was_handled(inbox: str, clock: ManualClock) -> None:
    receiver = receiver_at(inbox, clock)
    receiver.on("row")(lambda _: None)
    async with receiver:
        await receiver.receive(callback("n", row_event(1), cell_event(1), row_event(2)))
        await receiver.receive(callback("m", cell_event(1)))
        await receiver.receive(callback("o"))
        await work_off(receiver)
        held = await (await receiver._sat()).inbox.held("default")
        assert (held.notifications, held.bytes) == (0, 0)


async def test_unknown_things_never_fail_and_have_their_hooks(
    inbox: str, clock: ManualClock
) -> None:
    heard: list[tuple[str, Any]] = []
    receiver = receiver_at(inbox, clock)
    receiver.on("row", "created")(lambda event: heard.append(("row", event.id)))
    receiver.on_status_change(lambda event: heard.append(("status", event.new_webhook_status)))
    receiver.on_unknown(lambda event: heard.append(("unknown", event.raw)))
    strange = {"objectType": "hologram", "eventType": "rotated", "id": "x"}
    async with receiver:
        await receiver.receive(callback("1", strange, 17, row_event(1, "melted"), row_event(2)))
        body = {"newWebhookStatus": "DISABLED_SCOPE_INACCESSIBLE", "events": []}
        await receiver.receive(callback("2", **body))
        await receiver.receive(message("3", {"no": "shape"}))
        await receiver.receive(ping(1))
        await work_off(receiver)
    assert ("status", "DISABLED_SCOPE_INACCESSIBLE") in heard
    assert [raw for kind, raw in heard if kind == "unknown"] == [
        {"no": "shape"},
        strange,
        17,
        row_event(1, "melted"),
    ] or len(heard) == 6
    assert ("row", 2) in heard


async def test_a_message_of_standard_webhooks_goes_by_its_type(
    inbox: str, clock: ManualClock
) -> None:
    heard: list[tuple[str, str, Any]] = []
    receiver = receiver_at(inbox, clock)
    receiver.on("invoice", "paid")(
        lambda event: heard.append((event.object_type, event.event_type, event.raw["data"]))
    )
    async with receiver:
        await receiver.receive(message("m1", {"type": "invoice.paid", "data": {"id": "i7"}}))
        await receiver.receive(message("m2", {"type": "invoice.void", "data": {"id": "i7"}}))
        await work_off(receiver)
    assert heard == [("invoice", "paid", {"id": "i7"})]


async def test_the_most_specific_handler_is_the_only_one_called(
    inbox: str, clock: ManualClock
) -> None:
    heard: list[tuple[str, str]] = []
    receiver = receiver_at(inbox, clock)
    for pattern in (("*", "*"), ("*", "deleted"), ("row", "*"), ("row", "created")):
        receiver.on(*pattern)(lambda event, pattern=pattern: heard.append(pattern))
    async with receiver:
        events = [row_event(1), row_event(2, "deleted"), cell_event(3)]
        await receiver.receive(callback("n", *events, cell_event(4, eventType="deleted")))
        await work_off(receiver)
    assert heard == [("row", "created"), ("row", "*"), ("*", "*"), ("*", "deleted")]


async def test_changes_that_this_consumer_made_are_passed_over(
    inbox: str, clock: ManualClock
) -> None:
    handled: list[str | None] = []
    receiver = receiver_at(inbox, clock, skip_change_agents={"sync-bot"})
    receiver.on()(lambda event: handled.append(event.change_agent))
    agents = ["sync-bot", "other", "someone, sync-bot", "sync-bot-2", None]
    async with receiver:
        events = [
            row_event(row) | ({} if agent is None else {"changeAgent": agent})
            for row, agent in enumerate(agents)
        ]
        await receiver.receive(callback("n", *events))
        await work_off(receiver)
    assert handled == ["other", "sync-bot-2", None]


async def test_an_old_callback_is_kept_for_people_and_not_handled(
    inbox: str, clock: ManualClock
) -> None:
    handled: list[str] = []
    receiver = receiver_at(inbox, clock)
    receiver.on()(lambda event: handled.append(name_of(event)))
    async with receiver:
        old = callback("n", row_event(1), timestamp="2025-11-01T00:00:00.000+0000")
        assert (await receiver.receive(old)).status == 200
        await work_off(receiver)
        [letter] = await receiver.dead_letters()
        assert handled == []
        assert "repetition" in letter.error
        await receiver.run_again([letter.number])
        await work_off(receiver)
    assert handled == ["row created 1"]


async def test_a_crowd_of_events_in_one_callback_is_one_dead_letter(
    inbox: str, clock: ManualClock
) -> None:
    receiver = receiver_at(inbox, clock)
    receiver.on()(lambda _: None)
    async with receiver:
        await receiver.receive(callback("n", *([1] * (limits.RECEIVED_EVENTS + 1))))
        await work_off(receiver)
        [letter] = await receiver.dead_letters()
    assert "10,000" in letter.error


async def test_a_full_inbox_tells_the_sender_to_come_back(
    inbox: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INBOX_NOTIFICATIONS", 3)
    receiver = receiver_at(inbox, clock)
    receiver.on()(lambda _: None)
    async with receiver:
        answers = [await receiver.receive(callback(str(n), row_event(n))) for n in range(5)]
        assert [answer.status for answer in answers] == [200, 200, 200, 503, 503]
        assert "Retry-After" in dict(answers[3].headers)
        await work_off(receiver)
        await clock.advance(limits.INBOX_LOOK_SECONDS)
        assert (await receiver.receive(callback("4", row_event(4)))).status == 200


async def test_bodies_that_memory_would_not_hold_together_are_opened_one_by_one(
    inbox: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled: list[Any] = []
    receiver = receiver_at(inbox, clock)
    receiver.on()(lambda event: handled.append(event.id))
    async with receiver:
        for number in range(4):
            await receiver.receive(callback(str(number), row_event(number)))
        monkeypatch.setattr(limits, "HANDLED_BYTES", 1)
        await receiver.run_once()
        assert handled == [0]
        monkeypatch.setattr(limits, "HANDLED_BYTES", 2 * len(callback_body("1", row_event(1))))
        await receiver.run_once()
        assert handled == [0, 1, 2]
        await work_off(receiver)
    assert handled == [0, 1, 2, 3]


async def test_one_process_works_an_inbox_off_and_another_takes_over_when_it_dies(
    inbox: str, clock: ManualClock
) -> None:
    handled: list[str] = []
    one, two = receiver_at(inbox, clock), receiver_at(inbox, clock)
    one.on()(lambda event: handled.append(f"one {event.id}"))
    two.on()(lambda event: handled.append(f"two {event.id}"))
    async with one, two:
        await work_off(one)
        await two.receive(callback("n", row_event(1)))
        await work_off(two)
        assert handled == []
        await work_off(one)
        await two.receive(callback("m", row_event(2)))
        await clock.advance(limits.HANDLER_LEASE_SECONDS)
        await work_off(two)
        await one.receive(callback("o", row_event(3)))
        await work_off(one)
        await work_off(two)
    assert handled == ["one 1", "two 2", "two 3"]


async def test_whoever_was_overtaken_in_the_middle_of_a_handler_settles_nothing(
    inbox: str, clock: ManualClock
) -> None:
    one, two = receiver_at(inbox, clock), receiver_at(inbox, clock)
    stalled, go_on = asyncio.Event(), asyncio.Event()

    @one.on()
    async def stall(event: ReceivedEvent) -> None:
        stalled.set()
        await go_on.wait()

    two.on()(lambda event: None)
    async with one, two:
        await one.receive(callback("n", row_event(1)))
        one_works = asyncio.create_task(work_off(one))
        await stalled.wait()
        clock.shift(limits.HANDLER_LEASE_SECONDS)  # as if its process had been stopped
        await work_off(two)
        go_on.set()
        assert await one_works > 0
        assert await two.dead_letters() == []


async def test_handlers_of_several_objects_run_side_by_side_where_that_is_wished(
    inbox: str, clock: ManualClock
) -> None:
    running: set[Any] = set()
    most = 0
    receiver = receiver_at(inbox, clock, at_once=3)

    @receiver.on()
    async def handle(event: ReceivedEvent) -> None:
        nonlocal most
        assert event.id not in running
        running.add(event.id)
        most = max(most, len(running))
        for _ in range(5):
            await asyncio.sleep(0)
        running.discard(event.id)

    async with receiver:
        events = [row_event(row, kind) for row in range(5) for kind in ("created", "updated")]
        await receiver.receive(callback("n", *events))
        await work_off(receiver)
    assert most == 3


async def test_receivers_of_different_names_share_an_inbox_and_nothing_else(
    inbox: str, clock: ManualClock
) -> None:
    handled: list[str] = []
    one, two = receiver_at(inbox, clock, name="one"), receiver_at(inbox, clock, name="two")
    one.on()(lambda event: handled.append("one"))
    two.on()(lambda event: handled.append("two"))
    async with one, two:
        await one.receive(callback("n", row_event(1)))
        await two.receive(callback("n", row_event(1)))
        await work_off(one)
        await work_off(two)
    assert handled == ["one", "two"]


async def test_a_receiver_that_remembers_for_less_forgets_nothing_of_another(
    inbox: str, clock: ManualClock
) -> None:
    handled: list[str] = []
    short = receiver_at(inbox, clock, name="short", remember=timedelta(days=1))
    long = receiver_at(inbox, clock, name="long")
    short.on()(lambda event: handled.append("short"))
    long.on()(lambda event: handled.append("long"))
    async with short, long:
        for days in (0, 2):
            await clock.advance(days * 86_400)
            await work_off(short)  # forgets
            for receiver in (long, short):
                await receiver.receive(callback("n", row_event(1), timestamp=None))
                await work_off(receiver)
    assert handled == ["long", "short"]


async def test_a_slow_handler_keeps_nobody_from_being_answered(
    inbox: str, clock: ManualClock
) -> None:
    going, go_on = asyncio.Event(), asyncio.Event()
    receiver = receiver_at(inbox, clock)

    @receiver.on()
    async def handle(event: ReceivedEvent) -> None:
        going.set()
        await go_on.wait()

    async with receiver:
        await receiver.receive(callback("0", row_event(0)))
        working = asyncio.create_task(work_off(receiver))
        await going.wait()
        for number in range(1, 20):
            assert (await receiver.receive(callback(str(number), row_event(number)))).status == 200
        await clock.advance(3 * limits.HANDLER_LEASE_SECONDS)  # the claim is renewed meanwhile
        go_on.set()
        await working


def test_what_can_never_work_is_refused_at_once(tmp_path: Path) -> None:
    def made(**options: Any) -> Receiver:
        return Receiver(**{"secrets": SECRETS, "inbox": f"sqlite:///{tmp_path}/x.db", **options})

    for wrong in (
        {"inbox": "mysql://x"},
        {"inbox": "sqlite:///"},
        {"skip_change_agents": "sync-bot"},
        {"tries": 0},
        {"at_once": 0},
        {"remember": timedelta(0)},
        {"remember": timedelta.max},
    ):
        with pytest.raises(ConfigurationError):
            made(**wrong)
    receiver = made()
    receiver.on("row")(print)
    with pytest.raises(ConfigurationError):
        receiver.on("row")(lambda event: None)
    receiver.on_ping(lambda event: None)
    with pytest.raises(ConfigurationError):
        receiver.on_ping(lambda event: None)
    wrong_handlers: list[Any] = [lambda: None, lambda a, b, c: None, 17]
    for handler in wrong_handlers:
        with pytest.raises(ConfigurationError):
            receiver.on("cell")(handler)


async def test_logs_tell_ids_and_types_and_nothing_that_was_sent(
    inbox: str, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = receiver_at(inbox, clock, tries=1)

    @receiver.on()
    def handle(event: ReceivedEvent) -> None:
        raise ValueError(event.raw)

    with caplog.at_level("DEBUG"):
        async with receiver:
            await receiver.receive(callback("secret-nonce", row_event(1, note="secret-value")))
            await work_off(receiver)
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text
    assert callback_body("secret-nonce").decode() not in caplog.text
