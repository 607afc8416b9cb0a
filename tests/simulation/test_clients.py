"""Both shapes of client in the field drain a backlog by pings alone (contract 1.5, 1.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from tests.simulation.endpoints import OK
from tests.simulation.world import World
from tidings.domain.webhook import Webhook
from tidings.domain.webhook_messages import EventListWish
from tidings.engine.arrivals import Arrivals
from tidings.engine.listing import Listing
from tidings.ports import SendOutcome, SendRequest

pytestmark = pytest.mark.anyio

URL = "https://endpoint.example/hook"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = await World.open(tmp_path / "tidings.db")
    yield opened
    await opened.close()


class Client:
    """A subscriber that keeps its token, and reads when it is told to."""

    def __init__(self, world: World, webhook: Webhook) -> None:
        self._world = world
        self._webhook = webhook
        self._listing = Listing(world.storage, world.clock, Arrivals(hints=True), world.reads)
        self.token: int | None = None
        self.pinged = 0
        self.event_ids: list[str] = []
        world.sender.behave(URL, self._on_ping)

    def _on_ping(self, request: SendRequest) -> SendOutcome:
        self.pinged += 1
        return OK

    async def page(self) -> bool:
        """Fetch one page of 50 and keep its token; return whether it had events."""
        wish = EventListWish(
            webhook_id=self._webhook.webhook_id, token=self.token, page_size=50, wait_seconds=0
        )
        listed = await self._listing.list(self._webhook.account, "key_1", wish)
        self._listing.written(listed)
        answer = msgspec.json.decode(listed.body)
        self.event_ids += [event["event_id"] for event in answer["events"]]
        self.token = int(answer["next_page_token"])
        return bool(answer["events"])


async def _drain(world: World, client: Client, *, loops: bool, seconds: float) -> float:
    """Let the client answer each ping in its way; return the seconds until it had everything."""
    answered, began = 0, world.clock.monotonic()
    while world.clock.monotonic() - began < seconds and len(client.event_ids) < 1_000:
        await world.run(0.1)
        if client.pinged > answered:
            answered = client.pinged
            while await client.page() and loops:
                pass
    return world.clock.monotonic() - began


async def test_a_client_that_reads_one_page_a_ping_drains_a_backlog_by_pings_alone(
    world: World,
) -> None:
    webhook = await world.register()
    client = Client(world, webhook)
    receipt = await world.publish(1_000)
    took = await _drain(world, client, loops=False, seconds=300)
    assert client.event_ids == _ids(webhook, receipt.first_position)
    assert took < 40, "a second a page, and five for the first that no token followed"


async def test_a_client_that_loops_until_an_empty_page_sees_each_event_once(world: World) -> None:
    webhook = await world.register()
    client = Client(world, webhook)
    receipt = await world.publish(1_000)
    await _drain(world, client, loops=True, seconds=300)
    assert client.event_ids == _ids(webhook, receipt.first_position)
    await world.run(60)
    assert client.pinged <= 2, "who has read everything isn't pinged again"
    more = await world.publish(3)
    await world.run(1)
    while await client.page():
        pass
    assert client.event_ids[1_000:] == _ids(webhook, more.first_position, 3)


async def test_a_client_without_tokens_is_not_driven_round_and_round(world: World) -> None:
    """It reads the first page again and again: a ping each five seconds, not each second."""
    webhook = await world.register()
    client = Client(world, webhook)
    await world.publish(1_000)
    answered = 0
    for _ in range(600):
        await world.run(0.1)
        if client.pinged > answered:
            answered = client.pinged
            client.token = None
            await client.page()
    assert 10 <= client.pinged <= 14


def _ids(webhook: Webhook, first_position: int | None, count: int = 1_000) -> list[str]:
    assert first_position is not None
    return [f"{webhook.webhook_id}.{first_position + n}" for n in range(count)]
