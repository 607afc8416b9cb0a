"""A primary that dies under load, with two standbys of which any one confirms each commit (L4).

Nothing that was answered is lost, nothing is doubled, and every webhook hears of its last event.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import msgspec
import pytest

from tests.acceptance.processes import RunningServer, changes_body
from tests.postgres_trio import Trio, trio
from tidings.client import Client
from tidings.clock import SystemClock
from tidings.domain.buckets import bucket_of
from tidings.storage.migrate import migrate
from tidings.storage.postgres import open_postgres
from tidings.testing.endpoint import ScriptedEndpoint
from tidings.testing.storage_samples import ACCOUNT, SOLUTION, entry, publish, whole_log

__all__ = ["trio"]

pytestmark = pytest.mark.anyio

CLOCK = SystemClock()
SOLUTIONS = [f"solution {number}" for number in range(4)]
WEBHOOKS_EACH = 3
LOAD_SECONDS = 0.5
"""Before the primary dies, and again after its successor has answered."""
PATIENCE_SECONDS = 20.0
"""Of a publisher: longer than any failover here."""
NOTIFIED_SECONDS = 20.0
"""From the last publish: a ping that failed while there was no primary is tried 10 s later."""


class Platform:
    """Publishes numbered records into one solution, one after the other, until it is told to end.

    What isn't answered is asked for again under its key, by the client.
    """

    def __init__(self, solution: str, client: Client) -> None:
        self.answered: list[tuple[int, str]] = []
        """Position and record of each change, as answered."""
        self.ending = threading.Event()
        self._solution = solution
        self._client = client

    def run(self) -> None:
        while not self.ending.is_set():
            number = len(self.answered)
            receipt = self._client.publish(
                changes_body(self._solution, number), idempotency_key=f"n{number}"
            )
            assert receipt.last_position is not None
            self.answered.append((receipt.last_position, str(number)))


def walk(client: Client, webhook_id: str) -> list[tuple[int, str]]:
    """Return the position and record of each event, in the order of the pages."""
    found: list[tuple[int, str]] = []
    token: str | None = None
    while True:
        page = client.list_events(webhook_id, page_token=token, page_size=1000)
        if not page.events:
            return found
        for event in page.events:
            assert event.record_event_data is not None
            position = int(event.event_id.rpartition(".")[2])
            found.append((position, event.record_event_data.record_id))
        token = page.next_page_token


async def eventually(condition: object, seconds: float) -> bool:
    """Whether a condition comes to hold, in bounded time."""
    assert callable(condition)
    ends_at = CLOCK.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        if CLOCK.monotonic() > ends_at:
            return False
        await CLOCK.sleep(0.05)
    return True


async def test_a_repeat_is_answered_only_once_a_standby_has_it(trio: Trio) -> None:
    """A commit that nobody confirmed is seen by its repeat, and says success when it is broken off;
    the publisher hears nothing before a standby has it.
    """
    await migrate(trio.url)
    storage = await open_postgres(trio.url, CLOCK, serve=True)
    try:
        await storage.log.append(publish(entry("confirmed")))
        for standby in trio.standbys:
            standby.stop()
        waiting = asyncio.ensure_future(storage.log.append(publish(entry("alone"), key="k")))
        for _ in range(2):
            assert await eventually(lambda: trio.unconfirmed() == 1, 10)
            assert trio.break_off() == 1
        assert await eventually(lambda: trio.unconfirmed() == 1, 10)
        seen = await whole_log(storage.log, bucket_of(ACCOUNT, SOLUTION))
        assert [name for _, name in seen] == ["confirmed", "alone"]
        assert not waiting.done()
        for standby in trio.standbys:
            standby.start()  # in this thread: with the one that starts it a server ends
        receipt = await waiting
        assert receipt.first_position == seen[-1][0]
        assert await whole_log(storage.log, bucket_of(ACCOUNT, SOLUTION)) == seen
    finally:
        await storage.close()
        for standby in trio.standbys:
            if standby.is_stopped:
                standby.start()
        trio.wait_until_followed(2)


async def test_a_failover_under_load_loses_nothing_doubles_nothing_and_all_are_notified(
    trio: Trio, tmp_path: Path
) -> None:
    await migrate(trio.url)
    async with ScriptedEndpoint() as endpoint:
        with RunningServer(tmp_path, database=trio.url) as server:
            key = server.make_key()
            with server.client(key, patience_seconds=PATIENCE_SECONDS) as client:
                webhooks = {
                    client.create_webhook(
                        solution, ["RECORD_CREATED"], url=endpoint.url()
                    ).webhook_id: solution
                    for solution in SOLUTIONS
                    for _ in range(WEBHOOKS_EACH)
                }
                platforms = {solution: Platform(solution, client) for solution in SOLUTIONS}
                running = [
                    asyncio.ensure_future(asyncio.to_thread(platform.run))
                    for platform in platforms.values()
                ]
                try:
                    await CLOCK.sleep(LOAD_SECONDS)
                    await asyncio.to_thread(trio.primary.lose_power)
                    before = {name: len(one.answered) for name, one in platforms.items()}
                    await asyncio.to_thread(trio.fail_over)
                    assert await eventually(
                        lambda: all(
                            len(one.answered) > before[name] + 1 for name, one in platforms.items()
                        ),
                        PATIENCE_SECONDS,
                    )
                    await CLOCK.sleep(LOAD_SECONDS)
                finally:
                    for platform in platforms.values():
                        platform.ending.set()
                    await asyncio.gather(*running)
                assert min(before.values()) > 0
                for webhook_id, solution in webhooks.items():
                    listed = await asyncio.to_thread(walk, client, webhook_id)
                    assert listed == platforms[solution].answered
                told = await eventually(
                    lambda: all(
                        told_up_to(endpoint).get(webhook_id, 0)
                        >= platforms[solution].answered[-1][0]
                        for webhook_id, solution in webhooks.items()
                    ),
                    NOTIFIED_SECONDS,
                )
                assert told, "a webhook never heard of its last event"
            assert "Traceback" not in server.log()


def told_up_to(endpoint: ScriptedEndpoint) -> dict[str, int]:
    """Return the last position that each webhook was told of."""
    told: dict[str, int] = {}
    for request in endpoint.requests:
        body = msgspec.json.decode(request.body)
        webhook_id = body["webhookId"]
        told[webhook_id] = max(told.get(webhook_id, 0), body["transactionNumber"])
    return told
