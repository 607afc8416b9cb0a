"""A server that is killed again and again while a platform publishes (invariants 1 to 5)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from tests.acceptance.processes import RunningServer, changes_body
from tidings.client import Client
from tidings.clock import SystemClock
from tidings.errors import Unavailable
from tidings.testing.clock import ManualClock
from tidings.testing.endpoint import ScriptedEndpoint

pytestmark = pytest.mark.anyio

CRASHES = 3
SEED = 7
PING_SECONDS = 2.0
"""From a restarted server's readiness to the ping that covers what was answered before."""
LEASE_SECONDS = 15.0
"""The same where the dead server's leases must end first."""


class Platform:
    """Publishes numbered records one by one; an answer that was lost is asked for once more."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        self.last_position = 0

    def publish_until_killed(self, client: Client) -> None:
        """Publish until the server is gone."""
        while True:
            try:
                self._publish_next(client)
            except Unavailable:
                return

    def settle(self, client: Client) -> None:
        """Publish the one whose answer never came, under its key."""
        self._publish_next(client)

    def _publish_next(self, client: Client) -> None:
        number = len(self.answered)
        receipt = client.publish(changes_body("s", number), idempotency_key=f"n{number}")
        assert receipt.last_position is not None
        assert receipt.last_position > self.last_position
        self.answered.append(str(number))
        self.last_position = receipt.last_position


class Reader:
    """A subscriber that keeps its token over all crashes of the server."""

    def __init__(self, webhook_id: str) -> None:
        self._webhook_id = webhook_id
        self._token: str | None = None
        self.records: list[str] = []

    def read_all(self, client: Client) -> None:
        """Read on to the first empty page."""
        while True:
            page = client.list_events(self._webhook_id, page_token=self._token, page_size=1000)
            self.records += [
                event.record_event_data.record_id
                for event in page.events
                if event.record_event_data
            ]
            self._token = page.next_page_token
            if not page.events:
                return


async def told_of(endpoint: ScriptedEndpoint, position: int, seconds: float) -> bool:
    """Return whether a ping that covers a position has come, within `seconds`."""
    clock = SystemClock()
    ends_at = clock.monotonic() + seconds
    while clock.monotonic() < ends_at:
        bodies = [msgspec.json.decode(request.body) for request in endpoint.requests]
        if any(body["transactionNumber"] >= position for body in bodies):
            return True
        await clock.sleep(0.02)
    return False


async def test_each_crash_loses_no_change_no_page_and_no_ping(
    kind: str, own_database: str, tmp_path: Path
) -> None:
    alone = kind == "sqlite"
    ping_seconds, crashes = (PING_SECONDS, CRASHES) if alone else (LEASE_SECONDS, 1)
    dice = ManualClock(seed=SEED)
    async with ScriptedEndpoint() as endpoint:
        with RunningServer(tmp_path, database=own_database) as server:
            key = server.make_key()
            with server.client(key) as client:
                webhook = client.create_webhook("s", ["RECORD_CREATED"], url=endpoint.url())
            platform, reader = Platform(), Reader(webhook.webhook_id)
            for _ in range(crashes):
                with server.client(key) as client:
                    publishing = asyncio.create_task(
                        asyncio.to_thread(platform.publish_until_killed, client)
                    )
                    await asyncio.sleep(0.1 + dice.draw())
                    await asyncio.to_thread(server.kill)
                    await publishing
                answered, last_position = list(platform.answered), platform.last_position
                await asyncio.to_thread(server.start)
                assert await told_of(endpoint, last_position, ping_seconds), "never told of it"
                with server.client(key, patience_seconds=5) as client:
                    await asyncio.to_thread(reader.read_all, client)
                    assert reader.records[: len(answered)] == answered
                    await asyncio.to_thread(platform.settle, client)
                    await asyncio.to_thread(reader.read_all, client)
                    assert reader.records == platform.answered
