"""A follower in virtual time, before the real engine: alive for weeks, and told of a gap."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.simulation.loop import run
from tests.simulation.server import Server
from tidings.client import AsyncClient, Change, EventsPage
from tidings.domain import limits
from tidings.domain.key import Role
from tidings.errors import EventsExpired, NotFound
from tidings.receiver.follower import AsyncFollower, AsyncSqlitePlaces, Gap

KEY = "tdg_follower"
DAY = 86_400.0


@pytest.fixture(autouse=True)
def _seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweep every six hours: what is due sooner is swept sooner all the same."""
    monkeypatch.setattr(limits, "SWEEP_SECONDS", DAY / 4)
    monkeypatch.setattr(limits, "DOWNTIME_SECONDS", DAY)


class Consumer:
    """What a follower has handed over; -1 stands for a gap."""

    def __init__(self, server: Server, client: AsyncClient, webhook_id: str) -> None:
        self.done: list[int] = []
        self.client = client
        self.webhook_id = webhook_id
        self._server = server
        self._file = sqlite3.connect(":memory:")
        self._places = AsyncSqlitePlaces(self._file)

    def close(self) -> None:
        """Close the file of its place."""
        self._file.close()

    def follower(self, **wishes: Any) -> AsyncFollower[sqlite3.Connection]:
        """Return a follower that goes on from where the last one was."""
        return AsyncFollower(
            self.client,
            self.webhook_id,
            self._places,
            clock=self._server.clock,
            on_page=self._take,
            **wishes,
        )

    async def publish(self, *numbers: int) -> None:
        """Publish a record for each number."""
        changes = [
            Change(kind="RECORD_CREATED", application_id="t", record_id=str(number), data={})
            for number in numbers
        ]
        await self.client.publish_changes("crm", changes, idempotency_key=f"numbers {numbers}")

    def take_gap(self, _: Gap, __: sqlite3.Connection) -> None:
        """Note a gap."""
        self.done.append(-1)

    def _take(self, page: EventsPage, _: sqlite3.Connection) -> None:
        for event in page.events:
            assert event.record_event_data is not None
            self.done.append(int(event.record_event_data.record_id))


@asynccontextmanager
async def consuming(folder: Path) -> AsyncIterator[tuple[Server, Consumer]]:
    """Yield a server, and a consumer with a webhook there."""
    server = await Server.open_seeded(folder / "tidings.db", 1)
    await server.start()
    await server.new_key("acme", Role.ADMIN, KEY)
    transport = httpx.ASGITransport(app=server.app)
    pause = server.clock.sleep
    async with AsyncClient("http://tidings.test", KEY, pause=pause, transport=transport) as client:
        webhook = await client.create_webhook("crm", ["RECORD_CREATED"])
        consumer = Consumer(server, client, webhook.webhook_id)
        try:
            yield server, consumer
        finally:
            consumer.close()
            await server.close()


def test_a_follower_keeps_its_webhook_alive_for_weeks_without_news(tmp_path: Path) -> None:
    async def told() -> None:
        async with consuming(tmp_path) as (server, consumer):
            follower = consumer.follower(every_seconds=DAY)
            running = asyncio.create_task(follower.run())
            await server.run(20 * DAY)
            await consumer.publish(1)
            await server.run(DAY)
            follower.stop()
            await running
            assert consumer.done == [1]

    run(told())


def test_a_webhook_that_nobody_followed_for_too_long_is_told_and_not_made_anew(
    tmp_path: Path,
) -> None:
    async def told() -> None:
        async with consuming(tmp_path) as (server, consumer):
            await consumer.follower().run_once()
            await server.run(15 * DAY)
            with pytest.raises(NotFound):
                await consumer.follower().run()
            assert (await consumer.client.list_webhooks()).webhooks == ()

    run(told())


def test_events_that_the_log_has_dropped_are_a_gap(tmp_path: Path) -> None:
    async def told() -> None:
        async with consuming(tmp_path) as (server, consumer):
            await consumer.publish(1)
            await consumer.follower().run_once()
            await consumer.publish(2, 3)
            for _ in range(17):  # somebody else reads it, so that it stays
                await consumer.client.list_events(consumer.webhook_id)
                await server.run(DAY)
            await consumer.publish(4)
            with pytest.raises(EventsExpired):
                await consumer.follower().run_once()
            assert consumer.done == [1]
            await consumer.follower(on_gap=consumer.take_gap).run_once()
            assert consumer.done == [1, -1, 4]

    run(told())
