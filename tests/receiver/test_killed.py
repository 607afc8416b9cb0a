"""A consumer is killed at any moment: nothing answered is lost, and nothing done is done twice."""

from __future__ import annotations

import collections
import contextlib
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.receiver.consumer import EVENTS, Ahead, body_of
from tests.receiver.senders import SHARED, callback_body, row_event, signed
from tidings.receiver import Receiver

pytestmark = pytest.mark.anyio
SECONDS = 30.0
KILLED_AFTER = (1, 34, 77)
"""Lines of a handler's, each said in the midst of an event."""


def killed_after(lines: int, *arguments: str) -> list[str]:
    """Run a consumer, kill it once it has said so many lines; return what it said until its end."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.receiver.consumer", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline().strip() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate(timeout=SECONDS)
        complete = rest.splitlines()[: rest.count("\n")]
        return [line for line in [*said, *complete] if line]


def effects(path: Path) -> list[int]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return [row for (row,) in db.execute("SELECT row_id FROM effect")]


async def test_what_was_answered_before_a_kill_is_handled_after_it_each_once(
    tmp_path: Path,
) -> None:
    path = tmp_path / "inbox.db"
    answered = [int(number) for number in killed_after(40, "take", str(path), "0")]
    assert len(answered) >= 40
    handled: list[int] = []
    clock = Ahead(1)
    options = {"inbox": f"sqlite:///{path}", "clock": clock, "work": False}
    async with Receiver(secrets=SHARED, **options) as receiver:  # type: ignore[arg-type]  # a dict
        receiver.on()(lambda event: handled.append(event.id))
        again = signed(body_of(answered[-1], clock.now()))
        assert (await receiver.receive(again)).status == 200  # the sender heard nothing of the 200
        while await receiver.run_once() == 0:
            pass
    wanted = {number * EVENTS + place for number in answered for place in range(EVENTS)}
    assert wanted <= set(handled)
    assert max(collections.Counter(handled).values()) == 1
    assert handled == sorted(handled)


async def test_a_handler_that_is_killed_is_run_again_and_its_effects_happen_once(
    tmp_path: Path,
) -> None:
    path = tmp_path / "inbox.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE effect (row_id INTEGER)")
        db.commit()
    clock = Ahead(0)
    count = 80
    options = {"inbox": f"sqlite:///{path}", "clock": clock, "work": False}
    async with Receiver(secrets=SHARED, **options) as receiver:  # type: ignore[arg-type]  # a dict
        at = f"{clock.now():%Y-%m-%dT%H:%M:%S}.000+0000"
        for kind in ("created", "deleted"):
            events = [row_event(row, kind) for row in range(count)]
            await receiver.receive(signed(callback_body(kind, *events, timestamp=at)))
    for kill, lines in enumerate(KILLED_AFTER, start=1):
        killed_after(lines, "handle", str(path), str(kill))
    done = subprocess.run(
        [sys.executable, "-m", "tests.receiver.consumer", "handle", str(path), "9"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.stdout.splitlines()[-1] == "done", done.stderr
    assert sorted(effects(path)) == list(range(count))
    plainly = [int(row) for row in path.with_suffix(".log").read_text().split()]
    assert set(plainly) == set(range(count))
    assert max(collections.Counter(plainly).values()) <= 1 + len(KILLED_AFTER)
