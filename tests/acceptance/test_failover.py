"""A primary that dies under load, with two standbys of which any one confirms each commit (L4).

Nothing that was answered is lost, nothing is doubled, and every webhook hears of its last event.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.acceptance.processes import RunningServer, changes_body
from tests.acceptance.reconciling import CLOCK, Platform, eventually, told_up_to, walk
from tests.postgres_trio import Trio, trio
from tidings.domain.buckets import bucket_of
from tidings.storage.migrate import migrate
from tidings.storage.postgres import open_postgres
from tidings.testing.endpoint import ScriptedEndpoint
from tidings.testing.storage_samples import ACCOUNT, SOLUTION, entry, publish, whole_log

__all__ = ["trio"]

pytestmark = pytest.mark.anyio

SOLUTIONS = [f"solution {number}" for number in range(4)]
WEBHOOKS_EACH = 3
LOAD_SECONDS = 0.5
"""Before the primary dies, and again after its successor has answered."""
PATIENCE_SECONDS = 20.0
"""Of a publisher: longer than any failover here."""
NOTIFIED_SECONDS = 20.0
"""From the last publish: a ping that failed while there was no primary is tried 10 s later."""


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
                    await asyncio.to_thread(refuse_one, server, key)
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


def refuse_one(server: RunningServer, key: str) -> None:
    """Publish while there is no primary: the answer says when to come again, and `/readyz` why."""
    with httpx.Client(trust_env=False, timeout=20) as client:
        headers = {"Authorization": f"Token {key}", "Content-Type": "application/json"}
        url = f"{server.url}/v1/changes"
        publish = client.post(url, headers=headers, content=changes_body("refused", 1))
        ready = client.get(f"{server.url}/readyz")
    assert publish.status_code == 503
    assert publish.headers["retry-after"] == "1"
    assert "primary" in publish.json()["detail"]
    assert ready.status_code == 503
    assert "primary" in ready.text
