"""The receivers of a simulated month of sheets: production's own, each with its inbox in a file.

A receiver is killed between any two of its steps: before it has kept a callback, before its answer,
between a handler and its settling. Its inbox fails and loses answers, its handlers fail until their
events are dead letters, and old callbacks are sent once more.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.simulation.callbacks import Row, all_handled
from tests.simulation.dice import Dice
from tests.simulation.one_thread_inbox import OneThreadInbox
from tests.simulation.replicas import Handled, handled_once
from tests.simulation.server import Server
from tidings.domain import limits
from tidings.domain.instants import to_milliseconds
from tidings.errors import StorageUnavailable
from tidings.ports import SendOutcome, SendRequest
from tidings.receiver import Receiver
from tidings.receiver.notification import ReceivedEvent
from tidings.receiver.request import Request, joined_headers

TRIES = 4
_PATIENCE_SECONDS = 15.0
_ROUND_SECONDS = 0.01
"""What a round takes: with none, a round that gets nowhere would stop the time for all."""
_DOWN_SECONDS = (0.0, 2.0, 60.0, 600.0)
_DEAF = SendOutcome(status=None, error="connection refused", unreachable=True)
_DIED = SendOutcome(status=None, error="the connection was closed")
_TABLE = "CREATE TABLE handled (row INTEGER, cell INTEGER, event TEXT)"
_HANDLE = "INSERT INTO handled VALUES (?, ?, ?)"
_ALL = "SELECT row, cell, event FROM handled ORDER BY rowid"


class Receiving:
    """Who receives for one webhook, by one Receiver after the other on the same file."""

    def __init__(self, server: Server, dice: Dice, path: Path, secret: str) -> None:
        self.fails = 0.0
        """Such a share of the handlers' calls fails."""
        self.slow_seconds = 0.0
        self.count = 0
        """How many events it had handled when it was judged last."""
        self.buried: set[str] = set()
        """Events that were dead letters: their order isn't kept any more."""
        self._server = server
        self._dice = dice
        self._path = path
        self._secret = secret
        self._requests: set[asyncio.Task[SendOutcome]] = set()
        self._receiver: Receiver | None = None
        self._inbox: OneThreadInbox
        self._life: asyncio.Task[None] | None = None
        self._kept = asyncio.Event()
        with sqlite3.connect(path) as database:
            database.execute(_TABLE)
        database.close()

    async def begin(self) -> None:
        """Let a receiver begin, where the last one was."""
        self._inbox = OneThreadInbox(str(self._path), self._server, self._dice)
        receiver = Receiver(
            secrets=self._secret,
            inbox=self._inbox,
            tries=TRIES,
            work=False,
            clock=self._server.clock,
        )
        receiver.on()(self._handle)
        await receiver.__aenter__()
        self._receiver = receiver
        self._life = asyncio.ensure_future(self._work(receiver))

    async def kill(self) -> None:
        """End it wherever it is, with all requests that it hasn't answered."""
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            return
        doomed: list[asyncio.Task[Any]] = [*self._requests]
        if self._life is not None:
            doomed.append(self._life)
        for task in doomed:
            task.cancel()
        self._inbox.die()
        await asyncio.gather(*doomed, return_exceptions=True)

    async def take(self, request: SendRequest) -> SendOutcome:
        """Answer a request, as far as it lives long enough."""
        if self._receiver is None:
            return _DEAF
        answering = asyncio.ensure_future(self._answer(self._receiver, request))
        self._requests.add(answering)
        answering.add_done_callback(self._requests.discard)
        try:
            return await asyncio.shield(answering)
        except asyncio.CancelledError:
            if answering.cancelled():
                return _DIED
            raise

    def strike(self, share: float) -> None:
        """Let such a share of the inbox's commits fail."""
        if self._receiver is not None:
            self._inbox.strike(share)

    async def run_again(self) -> int:
        """Have all dead letters handled again; return how many there were."""
        assert self._receiver is not None
        letters = await self._receiver.dead_letters(limit=10_000)
        self.buried.update(letter.event.event_id for letter in letters)
        count = await self._receiver.run_again([letter.number for letter in letters])
        self._kept.set()
        return count

    def handled(self) -> list[Handled]:
        """Return what the consumer's table holds."""
        with sqlite3.connect(self._path) as database:
            rows = database.execute(_ALL).fetchall()
        database.close()
        return [Handled(*row) for row in rows]

    def judge(self, rows: Mapping[int, Row]) -> None:
        """Judge what was handled, by what happened in the sheet."""
        self.raise_failure()
        handled = self.handled()
        self.count = len(handled)
        handled_once(handled, self.buried)
        all_handled([(one.row, one.cell) for one in handled], rows, self._server.clock.now())

    async def hinder(self) -> None:
        """Let it fail in one way or another."""
        fate = self._dice.below(4)
        if fate == 0:
            await self.kill()
            await self._server.clock.sleep(self._dice.one_of(_DOWN_SECONDS))
            await self.begin()
        elif fate == 1:
            self.strike(self._dice.one_of((0.1, 0.5, 1.0)))
            await self._server.clock.sleep(self._dice.one_of(_DOWN_SECONDS))
            self.strike(0.0)
        elif fate == 2:
            self.fails = self._dice.one_of((0.1, 0.5))
        else:
            self.slow_seconds = self._dice.one_of((0.01, 0.2))

    def mend(self) -> None:
        """Let its inbox and its handlers be well."""
        self.strike(0.0)
        self.fails = self.slow_seconds = 0.0

    def raise_failure(self) -> None:
        """Raise what ended its work."""
        if self._life is not None and self._life.done() and not self._life.cancelled():
            self._life.result()

    async def _answer(self, receiver: Receiver, request: SendRequest) -> SendOutcome:
        headers = joined_headers(list(request.headers))
        answer = await receiver.receive(Request(headers=headers, body=request.body))
        self._kept.set()
        return SendOutcome(
            status=int(answer.status),
            headers={name.lower(): value for name, value in answer.headers},
            body=answer.body,
            error=None if answer.status == 200 else f"answered {answer.status}",
        )

    async def _work(self, receiver: Receiver) -> None:
        """Work off what was kept; rest while nothing waits, so that virtual time is cheap."""
        clock = self._server.clock
        while True:
            self._kept.clear()
            try:
                pause = await receiver.run_once()
                unopened, due_ms = self._inbox.left()
            except StorageUnavailable:
                if self._receiver is not receiver:
                    return  # it was killed, and its inbox with it
                await clock.sleep(limits.INBOX_POLL_SECONDS)
                continue
            if pause:
                now_ms = to_milliseconds(clock.now())
                left = 1e9 if due_ms is None else (due_ms - now_ms) / 1_000
                # What is due and isn't done is under the claim of one that was killed, by whose
                # clock it may last for an hour.
                pause = _PATIENCE_SECONDS if unopened or left <= 0 else max(pause, left)
            await clock.wait(self._kept, pause or _ROUND_SECONDS)

    async def _handle(self, event: ReceivedEvent, database: sqlite3.Connection) -> None:
        row = event.row_id if event.row_id is not None else event.id
        database.execute(_HANDLE, (row, event.column_id or 0, event.event_id))
        if self.slow_seconds:
            await self._server.clock.sleep(self.slow_seconds)
        if self._dice.chance(self.fails):
            raise ValueError("the handler failed")

    async def close(self) -> None:
        """End for good."""
        with suppress(asyncio.CancelledError):
            await self.kill()
