"""The followers of a simulated month: production's own, each with a database of its consumer's.

The consumer's table and the follower's place are one database, which outlives whoever works on it:
followers are killed between any two of their steps, their store fails or loses its answers, and
some stay away for longer than the log is kept.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import httpx
import msgspec

from tests.simulation.dice import Dice
from tests.simulation.history import History, Subscriber
from tests.simulation.replicas import Taken, exact_replica
from tests.simulation.server import Answer, Server
from tidings.client import AsyncClient, Event, EventsPage
from tidings.domain.instants import from_milliseconds, to_milliseconds
from tidings.errors import NotFound, StorageUnavailable
from tidings.receiver.follower import AsyncFollower, AsyncSqlitePlaces, Gap

List = Callable[[Subscriber, dict[str, Any]], Awaitable[Answer]]
"""Asks for a page with a webhook's own key."""
DAY_SECONDS = 86_400.0
_AWAY_SECONDS = (0.0, 2.0, 600.0, DAY_SECONDS, 8 * DAY_SECONDS, 17 * DAY_SECONDS)
_EVERY_SECONDS = (DAY_SECONDS / 2, DAY_SECONDS)
_TABLE = "CREATE TABLE taken (position INTEGER, at INTEGER, gap_to INTEGER, to_newest INTEGER)"
_TAKE = "INSERT INTO taken VALUES (?, ?, ?, ?)"
_PLACES = "SELECT token FROM tidings_follower"
_ALL = "SELECT position, at, gap_to, to_newest FROM taken ORDER BY rowid"


class Line(httpx.AsyncBaseTransport):
    """The way from a follower to the server. A request that began is done, whoever waits for it."""

    def __init__(self, subscriber: Subscriber, ask: List) -> None:
        self._subscriber = subscriber
        self._ask = ask

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Bring a request over. Raises ReadError where the server dies on it."""
        wish = msgspec.json.decode(await request.aread())
        answer = await asyncio.shield(asyncio.ensure_future(self._ask(self._subscriber, wish)))
        if answer.status == 0:
            raise httpx.ReadError("the server is gone", request=request)
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)


class Places:
    """A place store that fails now and then, before its commit or behind it."""

    def __init__(self, database: sqlite3.Connection, dice: Dice) -> None:
        self.share = 0.0
        self._database = database
        self._places = AsyncSqlitePlaces(database)
        self._dice = dice

    def reached(self) -> int:
        """Return the only place that there is."""
        [(token,)] = self._database.execute(_PLACES).fetchall() or [("",)]
        return int(token or 0)

    async def load(self, webhook_id: str) -> str:
        """Return a webhook's place."""
        self._strike("struck")
        return await self._places.load(webhook_id)

    @asynccontextmanager
    async def moving(
        self, webhook_id: str, old: str, new: str
    ) -> AsyncIterator[sqlite3.Connection]:
        """Enter a transaction for the work and the move."""
        async with self._places.moving(webhook_id, old, new) as database:
            yield database
            self._strike("struck before the commit")
        self._strike("committed, and the answer was lost")

    def _strike(self, how: str) -> None:
        if self._dice.chance(self.share):
            raise StorageUnavailable(how)


class Consumer:
    """Who follows one webhook, by one follower after the other."""

    def __init__(self, server: Server, subscriber: Subscriber, dice: Dice, ask: List) -> None:
        self.subscriber = subscriber
        self.away_until = 0.0
        self.slow_seconds = 0.0
        """What the work on a page or an event may take, in the midst of its transaction."""
        self.slow_share = 0.3
        self._server = server
        self._dice = dice
        self._singly = dice.chance(0.15)
        self._to_newest = dice.chance(0.3)
        self._heeds_pings = dice.chance(0.7)
        self._every_seconds = dice.one_of(_EVERY_SECONDS)
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        self._database.execute(_TABLE)
        self.places = Places(self._database, dice)
        self._client = AsyncClient(
            "http://tidings.test",
            subscriber.key,
            pause=server.clock.sleep,
            transport=Line(subscriber, ask),
        )
        self._follower: AsyncFollower[sqlite3.Connection] | None = None
        self._life: asyncio.Task[None] | None = None

    @property
    def is_away(self) -> bool:
        """Whether nobody follows now."""
        return self._follower is None

    def begin(self, after_seconds: float = 0.0) -> None:
        """Let a follower begin, in so many seconds, where the last one was."""
        self.away_until = self._server.clock.monotonic() + after_seconds
        self._life = asyncio.ensure_future(self._live(after_seconds))

    async def kill(self) -> None:
        """End the follower, wherever it is."""
        life, self._life, self._follower = self._life, None, None
        if life is not None:
            life.cancel()
            with suppress(asyncio.CancelledError):
                await life

    async def close(self) -> None:
        """End for good."""
        await self.kill()
        await self._client.close()
        self._database.close()

    def tell(self) -> None:
        """Let the follower hear of the last ping that its endpoint got."""
        if self._follower is not None and self._heeds_pings and self.subscriber.attempts:
            self._follower.take_ping(self.subscriber.attempts[-1].sent.json)

    def look(self) -> None:
        """Let the follower look, ping or no ping."""
        if self._follower is not None:
            self._follower.wake()

    def taken(self) -> list[Taken]:
        """Return what the consumer's table holds."""
        return [
            Taken(position, from_milliseconds(at), gap_to, bool(to_newest))
            for position, at, gap_to, to_newest in self._database.execute(_ALL)
        ]

    def raise_failure(self) -> None:
        """Raise what ended the follower, unless its webhook is gone."""
        if self._life is not None and self._life.done():
            self._life.result()

    async def _live(self, after_seconds: float) -> None:
        await self._server.clock.sleep(after_seconds)
        self._follower = AsyncFollower(
            self._client,
            self.subscriber.webhook_id,
            self.places,
            on_page=None if self._singly else self._take_page,
            on_event=self._take_event if self._singly else None,
            on_gap=self._take_gap,
            on_failure=lambda failure, wait: None,
            resume="newest" if self._to_newest else "oldest",
            every_seconds=self._every_seconds,
            clock=self._server.clock,
        )
        with suppress(NotFound):
            await self._follower.run()
        self._follower = None

    async def _take_page(self, page: EventsPage, database: sqlite3.Connection) -> None:
        for event in page.events:
            self._take(event, database)
        await self._work()

    async def _take_event(self, event: Event, database: sqlite3.Connection) -> None:
        self._take(event, database)
        await self._work()

    def _take(self, event: Event, database: sqlite3.Connection) -> None:
        position = int(event.event_id.rpartition(".")[2])
        database.execute(_TAKE, (position, to_milliseconds(self._now()), None, False))

    def _take_gap(self, gap: Gap, database: sqlite3.Connection) -> None:
        ends = int(gap.next_page_token)
        at = to_milliseconds(self._now())
        database.execute(_TAKE, (int(gap.token or 0), at, ends, self._to_newest))

    async def _work(self) -> None:
        if self.slow_seconds and self._dice.chance(self.slow_share):
            await self._server.clock.sleep(self.slow_seconds)

    def _now(self) -> datetime:
        return self._server.clock.now()


class Followers:
    """All of them."""

    def __init__(self, server: Server, history: History, dice: Dice, ask: List) -> None:
        self.consumers: dict[str, Consumer] = {}
        self.taken = 0
        """How many events they had when they were judged last."""
        self._server = server
        self._history = history
        self._dice = dice
        self._ask = ask

    def of(self, subscriber: Subscriber) -> Consumer:
        """Return who follows a webhook; who is asked for first begins now."""
        consumer = self.consumers.get(subscriber.webhook_id)
        if consumer is None:
            consumer = Consumer(self._server, subscriber, self._dice, self._ask)
            self.consumers[subscriber.webhook_id] = consumer
            consumer.begin()
        return consumer

    async def end_one(self) -> None:
        """Kill a follower; another one goes on, at once or after days."""
        consumer = self._any()
        if consumer is not None:
            await consumer.kill()
            if consumer.subscriber.alive:
                consumer.begin(self._dice.one_of(_AWAY_SECONDS))

    async def hinder_one(self) -> None:
        """Let a consumer's store fail and lose answers, and its work take its time."""
        consumer = self._any()
        if consumer is not None:
            consumer.places.share = self._dice.one_of((0.1, 0.5))
            consumer.slow_seconds = self._dice.one_of((0.0, 1.0, 30.0))

    def heal(self) -> None:
        """Let all stores be well."""
        for consumer in self.consumers.values():
            consumer.places.share = consumer.slow_seconds = 0.0

    def judge(self) -> None:
        """Judge each replica by all that happened."""
        now, self.taken = self._server.clock.monotonic(), 0
        for consumer in self.consumers.values():
            consumer.raise_failure()
            events = self._history.events_of(consumer.subscriber)
            rested = not consumer.is_away and now - consumer.away_until > 1.1 * DAY_SECONDS
            whole = rested and consumer.subscriber.alive
            taken = consumer.taken()
            self.taken += len(taken)
            exact_replica(events, taken, consumer.places.reached(), whole=whole)

    async def close(self) -> None:
        """End all."""
        for consumer in self.consumers.values():
            await consumer.close()

    def _any(self) -> Consumer | None:
        following = [one for one in self.consumers.values() if one.subscriber.alive]
        return self._dice.one_of(following) if following else None
