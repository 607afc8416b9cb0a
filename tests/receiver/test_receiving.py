"""A receiver whose inbox can't be written, or is the consumer's own; and what handlers can't do."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.receiver.inboxes import SECRETS, receiver_at, work_off
from tests.receiver.processes import free_port
from tests.receiver.senders import WHSEC, callback, cell_event, message, ping, row_event
from tidings.clock import SystemClock
from tidings.domain import limits
from tidings.domain.signing import CALLBACK_SIGNATURE
from tidings.errors import ConfigurationError, StorageUnavailable, TidingsError
from tidings.receiver import Callback, OwnTransaction, ReceivedEvent, Receiver
from tidings.receiver.gathering import Gathering
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


async def test_an_inbox_that_cannot_be_opened_is_503_and_tried_again_with_the_next_request(
    tmp_path: Path, clock: ManualClock
) -> None:
    folder = tmp_path / "later"
    receiver = receiver_at(f"sqlite:///{folder}/inbox.db", clock)
    assert (await receiver.receive(callback("n", row_event(1)))).status == 503
    with pytest.raises(StorageUnavailable):
        await receiver.open()
    folder.mkdir()
    assert (await receiver.receive(callback("n", row_event(1)))).status == 200
    await receiver.close()


async def test_a_file_that_is_no_database_is_503_and_left_as_it_is(
    tmp_path: Path, clock: ManualClock
) -> None:
    path = tmp_path / "inbox.db"
    path.write_bytes(b"a letter, not a database" * 100)
    receiver = receiver_at(f"sqlite:///{path}", clock)
    assert (await receiver.receive(callback("n"))).status == 503
    assert path.read_bytes() == b"a letter, not a database" * 100
    await receiver.close()


def test_a_driver_that_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    monkeypatch.delitem(sys.modules, "tidings.receiver.postgres_inbox", raising=False)
    with pytest.raises(ConfigurationError, match=r"tidings\[postgres\]"):
        Receiver(secrets=None, inbox="postgresql://x/y")


async def test_a_postgres_that_is_away_is_503(clock: ManualClock) -> None:
    receiver = receiver_at(f"postgresql://127.0.0.1:{free_port()}/x", clock)
    answer = await receiver.receive(callback("n"))
    assert answer.status == 503
    assert b"127.0.0.1" not in answer.body
    await receiver.close()


async def test_an_inbox_that_is_damaged_as_it_runs_is_503(
    tmp_path: Path, clock: ManualClock
) -> None:
    path = tmp_path / "inbox.db"
    receiver = receiver_at(f"sqlite:///{path}", clock)
    receiver.on()(lambda event: None)
    async with receiver:
        assert (await receiver.receive(callback("1"))).status == 200
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("DROP TABLE tidings_known")
        assert (await receiver.receive(callback("2"))).status == 503


@pytest.mark.parametrize(
    "statement", ["COMMIT", "ROLLBACK", "END", "method commit", "method script", "method with"]
)
async def test_a_handler_cannot_end_the_inboxs_transaction(
    statement: str, tmp_path: Path, clock: ManualClock
) -> None:
    path = tmp_path / "inbox.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE effect (row_id INTEGER)")
    receiver = receiver_at(f"sqlite:///{path}", clock, tries=1)

    @receiver.on()
    def handle(event: ReceivedEvent, db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO effect VALUES (?)", (event.id,))
        match statement:
            case "method commit":
                db.commit()
            case "method script":
                db.executescript("SELECT 1")
            case "method with":
                with db:
                    pass
            case _:
                db.execute(statement)

    async with receiver:
        await receiver.receive(callback("n", row_event(1)))
        await work_off(receiver)
        [letter] = await receiver.dead_letters()
        assert "not authorized" in letter.error
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM effect").fetchone() == (0,)


async def test_a_trigger_that_undoes_the_whole_transaction_is_a_failed_try(
    tmp_path: Path, clock: ManualClock
) -> None:
    path = tmp_path / "inbox.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE effect (row_id INTEGER)")
        db.execute(
            "CREATE TRIGGER no_two BEFORE INSERT ON effect WHEN new.row_id = 2 "
            "BEGIN SELECT RAISE(ROLLBACK, 'not two'); END"
        )
    receiver = receiver_at(f"sqlite:///{path}", clock, tries=1)

    @receiver.on()
    def handle(event: ReceivedEvent, db: sqlite3.Connection) -> None:
        with contextlib.suppress(sqlite3.IntegrityError):
            db.execute("INSERT INTO effect VALUES (?)", (event.id,))

    async with receiver:
        await receiver.receive(callback("n", *map(row_event, (1, 2, 3))))
        await work_off(receiver)
        assert [letter.event.id for letter in await receiver.dead_letters()] == [2]
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT row_id FROM effect").fetchall() == [(1,), (3,)]


async def test_a_plain_function_cannot_have_a_transaction_that_only_async_ones_can_use(
    postgres_url: str, clock: ManualClock
) -> None:
    receiver = receiver_at(postgres_url, clock, work=True)
    receiver.on()(lambda event, transaction: None)
    with pytest.raises(ConfigurationError):
        await receiver.open()
    await receiver.close()


async def test_a_consumers_own_transaction_decides_the_answer(clock: ManualClock) -> None:
    kept: dict[str, Callback] = {}
    broken = True

    def keep(callback: Callback) -> None:
        if broken:
            raise ZeroDivisionError
        kept.setdefault(callback.identity, callback)

    async def keep_async(callback: Callback) -> None:
        if broken:
            waiting = asyncio.create_task(asyncio.sleep(60))
            waiting.cancel()
            await waiting
        keep(callback)

    for function in (keep, keep_async):
        kept.clear()
        broken = True
        receiver = Receiver(secrets=SECRETS, inbox=OwnTransaction(function), clock=clock)
        sent = [callback("n", row_event(1), row_event(2)), ping(3), message("m", {"a": 1})]
        assert [(await receiver.receive(one)).status for one in sent] == [503] * 3
        broken = False
        assert [(await receiver.receive(one)).status for one in sent * 2] == [200] * 6
        events = [event for one in kept.values() for event in one.events]
        assert [(event.kind.name, event.id) for event in events] == [
            ("EVENT", 1),
            ("EVENT", 2),
            ("PING", None),
            ("UNKNOWN", None),
        ]
        with pytest.raises(ConfigurationError):
            receiver.on("row")(print)
        with pytest.raises(ConfigurationError):
            await receiver.dead_letters()


async def test_a_consumers_own_transaction_that_calls_exit_is_503_and_nothing_ends(
    clock: ManualClock,
) -> None:
    def leave(_: Callback) -> None:
        raise SystemExit(3)

    async def leave_too(_: Callback) -> None:
        raise SystemExit(3)

    for function in (leave, leave_too):
        receiver = Receiver(secrets=SECRETS, inbox=OwnTransaction(function), clock=clock)
        assert (await receiver.receive(callback("n"))).status == 503


async def test_secrets_change_while_a_receiver_runs(tmp_path: Path, clock: ManualClock) -> None:
    async with receiver_at(f"sqlite:///{tmp_path}/x.db", clock, secrets="old\n") as receiver:
        assert (await receiver.receive(callback("n"))).status == 401
        receiver.rotate(["old", *SECRETS])
        assert (await receiver.receive(callback("n"))).status == 200
        receiver.rotate(WHSEC)
        assert (await receiver.receive(callback("n"))).status == 401


async def test_a_worker_goes_on_by_itself_and_ends_with_its_receiver(tmp_path: Path) -> None:
    handled = asyncio.Event()
    receiver = Receiver(secrets=None, inbox=f"sqlite:///{tmp_path}/x.db", clock=SystemClock())

    @receiver.on_ping
    async def wake(event: ReceivedEvent) -> None:
        handled.set()

    async with asyncio.timeout(20), receiver.lifespan():
        await receiver.receive(ping(1))
        await handled.wait()


async def test_pings_are_handed_on_to_a_follower_in_the_receivers_own_loop(
    tmp_path: Path, clock: ManualClock
) -> None:
    taken: list[tuple[int, Any]] = []

    class Follower:
        def take_ping(self, ping: Mapping[str, Any], /) -> bool:
            taken.append((threading.get_ident(), ping["transactionNumber"]))
            return True

    receiver = receiver_at(f"sqlite:///{tmp_path}/x.db", clock)
    receiver.hand_pings_to(Follower())
    async with receiver:
        await receiver.receive(ping(3))
        await work_off(receiver)
    assert taken == [(threading.get_ident(), 3)]


async def test_a_handler_that_calls_exit_has_failed_and_nothing_else_ends(
    tmp_path: Path, clock: ManualClock
) -> None:
    receiver = receiver_at(f"sqlite:///{tmp_path}/x.db", clock, tries=1)

    @receiver.on("row")
    def leave(event: ReceivedEvent) -> None:
        raise SystemExit(3)

    @receiver.on("cell")
    async def leave_too(event: ReceivedEvent) -> None:
        raise SystemExit(3)

    async with receiver:
        await receiver.receive(callback("n", row_event(1), cell_event(2)))
        await work_off(receiver)
        assert len(await receiver.dead_letters()) == 2


FORKING = """
import os, sys
from tests.receiver.senders import SHARED, fresh_body, row_event, signed
from tidings.receiver import Receiver

receiver = Receiver(secrets=SHARED, inbox=f"sqlite:///{sys.argv[1]}")
handled = []
receiver.on()(lambda event: handled.append(event.id))
child = os.fork()
receiver.start()
answer = receiver.receive_blocking(signed(fresh_body(str(child == 0), row_event(1))))
receiver.stop()
os.write(1, b"%d\\n" % answer.status)
if child:
    os.waitpid(child, 0)
"""


def test_a_receiver_that_was_made_before_a_fork_works_in_both_processes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING, str(tmp_path / "x.db")],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout.split() == ["200", "200"], done.stderr
    assert done.stderr == ""


async def test_what_waits_together_fails_together_and_what_comes_after_goes_on() -> None:
    groups: list[list[int]] = []

    async def commit(group: Any) -> list[int]:
        groups.append(list(group))
        await asyncio.sleep(0)
        if 2 in group:
            raise StorageUnavailable("full")
        return [value * 10 for value in group]

    gathering = Gathering(commit, largest=3)
    first = gathering.put(1)
    await asyncio.sleep(0)
    rest = [gathering.put(value) for value in (2, 3, 4, 5)]
    done = await asyncio.gather(first, *rest, return_exceptions=True)
    assert done[0] == 10
    assert all(isinstance(error, TidingsError) for error in done[1:-1])
    assert done[-1] == 50
    assert groups == [[1], [2, 3, 4], [5]]
    await gathering.ended()


async def test_a_postgres_that_takes_no_writes_is_503_and_keeps_no_connection_of_each_try(
    postgres_url: str, clock: ManualClock
) -> None:
    receiver = receiver_at(f"{postgres_url}?default_transaction_read_only=on", clock)
    assert [(await receiver.receive(callback(nonce))).status for nonce in "1234"] == [503] * 4
    with psycopg.connect(postgres_url) as connection:
        others = (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert connection.execute(others).fetchone() == (0,)
    await receiver.close()


async def test_a_thread_that_cannot_be_had_is_503_and_tried_again_with_the_next_request(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = receiver_at(f"sqlite:///{tmp_path}/x.db", clock)

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert (await receiver.receive(callback("n"))).status == 503
    assert (await receiver.receive(callback("n"))).status == 200
    await receiver.close()


async def test_an_inbox_that_does_not_come_to_an_end_is_503_before_the_sender_hangs_up(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> list[bool]:
        await asyncio.Event().wait()
        return []

    async with asyncio.timeout(20), receiver_at(f"sqlite:///{tmp_path}/x.db", clock) as receiver:
        assert receiver._sitting is not None
        with monkeypatch.context() as patch:
            patch.setattr(limits, "KEEP_SECONDS", 0.01)
            patch.setattr(receiver._sitting.inbox, "keep", hang)
            assert (await receiver.receive(callback("n"))).status == 503
        assert (await receiver.receive(callback("n"))).status == 200


async def test_a_signature_that_comes_twice_is_neither_of_the_two(
    tmp_path: Path, clock: ManualClock
) -> None:
    sent = callback("n")
    headers = [(name.encode(), value.encode()) for name, value in sent.headers.items()]
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": sent.body}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    again = (CALLBACK_SIGNATURE.lower().encode(), b"0" * 64)
    async with receiver_at(f"sqlite:///{tmp_path}/x.db", clock) as receiver:
        for given in ([*headers, again], [again, *headers], headers):
            scope = {"type": "http", "method": "POST", "path": "/", "headers": given}
            await receiver(scope, receive, send)
    assert statuses == [401, 401, 200]
