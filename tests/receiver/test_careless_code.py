"""What the code around a receiver does carelessly: it may fail by that, and nothing else may."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.receiver.inboxes import SECRETS, receiver_at, work_off
from tests.receiver.log_server import WEBHOOK, LogServer
from tests.receiver.senders import callback, fresh_body, row_event, signed
from tidings.client import EventsPage
from tidings.receiver import ReceivedEvent, Receiver
from tidings.receiver.background import Background
from tidings.receiver.follower import AsyncFollower, AsyncSqlitePlaces
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


class Stamping:
    """A middleware that adds a header to each answer, as those of sessions and traces do."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.number = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.number += 1
                MutableHeaders(scope=message).append("set-cookie", f"session={self.number}")
            await send(message)

        await self.app(scope, receive, stamped)


async def test_a_header_that_a_middleware_adds_is_in_no_other_answer(
    tmp_path: Path, clock: ManualClock
) -> None:
    receiver = receiver_at(f"sqlite:///{tmp_path}/x.db", clock)
    app = Stamping(Starlette(routes=[receiver.route("/hook")]))
    started: list[Any] = []

    async def post(nonce: str) -> None:
        sent = callback(nonce)
        headers = [(name.encode(), value.encode()) for name, value in sent.headers.items()]
        scope = {"type": "http", "method": "POST", "path": "/hook", "headers": headers}

        async def receive() -> Message:
            return {"type": "http.request", "body": sent.body}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                started.append(list(message["headers"]))

        await app(scope, receive, send)

    async with receiver:
        await post("1")
        await post("2")
    cookies = [[value for name, value in one if name == b"set-cookie"] for one in started]
    assert cookies == [[b"session=1"], [b"session=2"]]


@pytest.mark.parametrize("at_once", [1, 4])
async def test_a_handler_whose_own_task_is_cancelled_has_failed_and_the_rest_goes_on(
    at_once: int, tmp_path: Path
) -> None:
    handled = asyncio.Event()
    receiver = Receiver(
        secrets=SECRETS, inbox=f"sqlite:///{tmp_path}/x.db", tries=1, at_once=at_once
    )

    @receiver.on("row", "created")
    async def give_up_waiting(event: ReceivedEvent) -> None:
        waiting = asyncio.create_task(asyncio.sleep(60))
        waiting.cancel()
        await waiting

    @receiver.on("row", "updated")
    async def work(event: ReceivedEvent) -> None:
        handled.set()

    async with asyncio.timeout(20), receiver.lifespan():
        await receiver.receive(signed(fresh_body("1", row_event(1))))
        await receiver.receive(signed(fresh_body("2", row_event(1, "updated"))))
        await handled.wait()
        [letter] = await receiver.dead_letters()
        assert (letter.event.id, letter.event.event_type) == (1, "created")


async def test_a_follower_goes_on_after_a_handler_whose_own_task_is_cancelled(
    tmp_path: Path,
) -> None:
    told: list[str] = []

    async def give_up_waiting(page: EventsPage, transaction: object) -> None:
        waiting = asyncio.create_task(asyncio.sleep(60))
        waiting.cancel()
        await waiting

    def failed(error: Exception, wait_seconds: float) -> None:
        told.append(type(error).__name__)
        follower.stop()

    with contextlib.closing(AsyncSqlitePlaces(tmp_path / "place.db")) as places:
        client = LogServer(1).async_client()
        follower = AsyncFollower(
            client, WEBHOOK, places, on_page=give_up_waiting, on_failure=failed
        )
        await follower.run()
    assert told == ["WorkCancelled"]


def test_threads_whose_first_requests_come_together_share_one_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)
    make = Background.__init__

    def late(self: Background) -> None:
        """Begin where another thread begins too, if it is let."""
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(timeout=0.2)
        make(self)

    monkeypatch.setattr(Background, "__init__", late)
    receiver = Receiver(secrets=SECRETS, inbox=f"sqlite:///{tmp_path}/x.db")
    answers: list[int] = []

    def post(nonce: str) -> None:
        sent = signed(fresh_body(nonce, row_event(1)))
        answers.append(receiver.receive_blocking(sent).status)

    threads = [threading.Thread(target=post, args=(str(number),)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    post("3")
    receiver.stop()
    assert answers == [200, 200, 200]


def closes(db: sqlite3.Connection) -> None:
    db.close()


def wants_rows_of_its_own(db: sqlite3.Connection) -> None:
    db.row_factory = lambda cursor, row: {"row": row}
    db.text_factory = bytes
    raise ValueError


@pytest.mark.parametrize("careless", [closes, wants_rows_of_its_own])
async def test_a_handler_that_changes_the_inboxs_connection_has_failed_and_the_rest_goes_on(
    careless: Callable[[sqlite3.Connection], None], tmp_path: Path, clock: ManualClock
) -> None:
    handled: list[Any] = []
    receiver = receiver_at(f"sqlite:///{tmp_path}/x.db", clock, tries=1)

    @receiver.on()
    def handle(event: ReceivedEvent, db: sqlite3.Connection) -> None:
        if event.id == 2:
            careless(db)
        handled.append((event.id, *db.execute("SELECT 'text'").fetchone()))

    async with asyncio.timeout(20), receiver:
        await receiver.receive(callback("1", *map(row_event, (1, 2, 3))))
        await work_off(receiver)
        assert [letter.event.id for letter in await receiver.dead_letters()] == [2]
        assert set(handled) == {(1, "text"), (3, "text")}
        assert (await receiver.receive(callback("2", row_event(4)))).status == 200
        await work_off(receiver)
        assert handled[-1] == (4, "text")
