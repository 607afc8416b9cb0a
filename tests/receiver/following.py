"""A follower in either colour, in virtual time, and what it did in its transactions."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.receiver.log_server import WEBHOOK, LogServer
from tidings.client import Event, EventsPage
from tidings.receiver.follower import (
    AsyncFollower,
    AsyncSqlitePlaces,
    Follower,
    Gap,
    SqlitePlaces,
    Turn,
)

Meanwhile = Callable[[float], object]
"""Called while the follower waits, with the seconds that it has waited in all; it may wake it."""


class Times:
    """A clock for threads and loops whose waits take no time, and are kept."""

    def __init__(self, meanwhile: Meanwhile) -> None:
        self.waits: list[float] = []
        self.dice = 0.0
        self._meanwhile = meanwhile

    def draw(self) -> float:
        """Return the same each time."""
        return self.dice

    def wait_in_thread(self, event: threading.Event, timeout_seconds: float) -> bool:
        """Pass the time, unless the event is set already."""
        return self._pass(event, timeout_seconds)

    async def wait(self, event: asyncio.Event, timeout_seconds: float) -> bool:
        """Pass the time, unless the event is set already."""
        await asyncio.sleep(0)
        return self._pass(event, timeout_seconds)

    def _pass(self, event: threading.Event | asyncio.Event, seconds: float) -> bool:
        if event.is_set():
            return True
        self.waits.append(seconds)
        self._meanwhile(sum(self.waits))
        return event.is_set()


class Following:
    """A consumer with a SQLite file: a row for each event, in the order of their coming.

    `raising` is called with each event's position, or with a gap, before its row is written: what
    it raises is the handler's error.
    """

    asynchronous = False

    def __init__(
        self,
        server: LogServer,
        folder: Path,
        *,
        singly: bool = False,
        meanwhile: Meanwhile = lambda _: None,
        **wishes: Any,
    ) -> None:
        self.clock = Times(meanwhile)
        self.gaps: list[Gap] = []
        self.raising: Callable[[int | Gap], object] = lambda _: None
        self.failures: list[tuple[Exception, float]] = []
        self._connection = sqlite3.connect(folder / "consumer.db", check_same_thread=False)
        # No test of this one loses its machine's power.
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS done (n INTEGER PRIMARY KEY, position)"
        )
        if singly:
            wishes["on_event"] = self.take_event
        else:
            wishes["on_page"] = self.take_page
        wishes.setdefault("on_failure", lambda *failed: self.failures.append(failed))
        if self.asynchronous:
            wishes |= {name: _slowly(call) for name, call in wishes.items() if callable(call)}
            places = AsyncSqlitePlaces(self._connection)
            self.follower: Follower[sqlite3.Connection] | AsyncFollower[sqlite3.Connection] = (
                AsyncFollower(server.async_client(), WEBHOOK, places, clock=self.clock, **wishes)
            )
        else:
            kept = SqlitePlaces(self._connection)
            self.follower = Follower(server.client(), WEBHOOK, kept, clock=self.clock, **wishes)

    def close(self) -> None:
        """Close the consumer's file."""
        self._connection.close()

    def run_once(self) -> Turn:
        """Have it look once."""
        if isinstance(self.follower, AsyncFollower):
            return asyncio.run(self.follower.run_once())
        return self.follower.run_once()

    def run(self) -> None:
        """Have it run until it is stopped, by a handler or meanwhile."""
        if isinstance(self.follower, AsyncFollower):
            asyncio.run(self.follower.run())
        else:
            self.follower.run()

    @property
    def done(self) -> list[int]:
        """The positions of the events that were worked on, durably, in order."""
        rows = self._connection.execute("SELECT position FROM done ORDER BY n").fetchall()
        return [position for (position,) in rows]

    def take_page(self, page: EventsPage, connection: sqlite3.Connection) -> None:
        """Work on a page."""
        for event in page.events:
            self.take_event(event, connection)

    def take_event(self, event: Event, connection: sqlite3.Connection) -> None:
        """Work on an event."""
        self.raising(event.position)
        connection.execute("INSERT INTO done (position) VALUES (?)", (event.position,))

    def take_gap(self, gap: Gap, connection: sqlite3.Connection) -> None:
        """Work on a gap; a row of -1 stands for the copy that a consumer would make."""
        self.raising(gap)
        self.gaps.append(gap)
        connection.execute("INSERT INTO done (position) VALUES (-1)")


def _slowly(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call as an asynchronous one."""

    async def slowly(*given: Any) -> Any:
        await asyncio.sleep(0)
        return call(*given)

    return slowly


Follow = Callable[..., Following]
"""Makes followers of one consumer: one after the other, as after a restart."""


class Broken(Exception):
    """What a handler raises."""


def breaking_at(position: int) -> Callable[[int | Gap], None]:
    """Return what raises Broken at a position."""

    def broken(reached: int | Gap) -> None:
        if reached == position:
            raise Broken

    return broken


def stopping_after(seconds: float, wished: list[Following]) -> Callable[[float], None]:
    """Return what stops the follower that will be in the list, once it has waited so long."""

    def meanwhile(waited: float) -> None:
        if waited >= seconds:
            wished[0].follower.stop()

    return meanwhile


def running_for(follow: Follow, seconds: float, server: LogServer, **wishes: Any) -> Following:
    """Run a follower for so long; return it."""
    made: list[Following] = []
    made.append(follow(server, meanwhile=stopping_after(seconds, made), **wishes))
    made[0].run()
    return made[0]
