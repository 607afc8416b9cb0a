"""Several processes on one database: killed at any moment, paused, and as workers of one port."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.processes import changes_body
from tests.acceptance.reconciling import CLOCK, Platform, eventually, told_up_to, walk
from tests.acceptance.role_processes import LISTENING, RoleProcess
from tests.simulation.dice import Dice
from tidings.client import Client
from tidings.domain import limits
from tidings.domain.key import Role
from tidings.domain.server_role import ServerRole
from tidings.testing.endpoint import Answer, ScriptedEndpoint
from tidings.testing.keys import make_key

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.only_on("postgresql", "a SQLite file is served by one process"),
]

API, DISPATCHER, SWEEPER = ServerRole.API, ServerRole.DISPATCHER, ServerRole.SWEEPER
SEED = 5
SOLUTIONS = [f"solution {number}" for number in range(8)]
WEBHOOKS_EACH = 25
PATIENCE_SECONDS = 25.0
"""Of a publisher whose process was killed: it is started again within a second or two."""
TAKEN_OVER_SECONDS = 15.0
"""From a dispatcher's death until its buckets go on with another one."""
SHARED_SECONDS = 20.0
"""From a dispatcher's start until it has its share, where others have to drain theirs first."""


def shares(database: str) -> dict[str, int]:
    """Return how many buckets each holder holds."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT holder, count(*) FROM lease "
            "WHERE ends_at > extract(epoch FROM now()) * 1000 GROUP BY holder"
        ).fetchall()
    return dict(rows)


class Killer:
    """Kills processes at moments of the dice, each kind of them, and starts them again."""

    def __init__(self, processes: dict[ServerRole, list[RoleProcess]]) -> None:
        self._dice = Dice(SEED)
        self._processes = processes

    async def run(self) -> None:
        for role in (DISPATCHER, API, SWEEPER, DISPATCHER, API, DISPATCHER):
            await CLOCK.sleep(0.3 + self._dice.below(1_000) / 1_000)
            victim = self._dice.one_of(self._processes[role])
            await asyncio.to_thread(victim.kill)
            await CLOCK.sleep(self._dice.below(1_000) / 1_000)
            victim.start()


async def test_whichever_process_is_killed_what_is_published_is_listed_and_notified(
    own_database: str, tmp_path: Path
) -> None:
    """2 API processes, 3 dispatchers and a sweeper; 200 webhooks."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2 * len(SOLUTIONS)))
    key = make_key(own_database, account="acme", name="key", role=Role.ADMIN)
    with contextlib.ExitStack() as stack:
        processes = {
            role: [
                stack.enter_context(RoleProcess(own_database, tmp_path, f"{role}-{number}", role))
                for number in range(count)
            ]
            for role, count in ((SWEEPER, 1), (API, 2), (DISPATCHER, 3))
        }
        for process in itertools.chain(*processes.values()):
            await asyncio.to_thread(process.wait_until_ready)
        clients = itertools.cycle(
            [
                stack.enter_context(api.client(key, patience_seconds=PATIENCE_SECONDS))
                for api in processes[API]
            ]
        )
        async with ScriptedEndpoint() as endpoint:
            platforms = {solution: Platform(solution, next(clients)) for solution in SOLUTIONS}

            def register(solution: str, client: Client) -> dict[str, str]:
                url = endpoint.url()
                made = [
                    client.create_webhook(solution, ["RECORD_CREATED"], url=url)
                    for _ in range(WEBHOOKS_EACH)
                ]
                return {one.webhook_id: solution for one in made}

            registering = [asyncio.to_thread(register, one, next(clients)) for one in SOLUTIONS]
            webhooks = dict(
                itertools.chain(*[made.items() for made in await asyncio.gather(*registering)])
            )
            running = [
                asyncio.create_task(asyncio.to_thread(one.run)) for one in platforms.values()
            ]
            try:
                await Killer(processes).run()
            finally:
                for platform in platforms.values():
                    platform.ending.set()
                await asyncio.gather(*running)
            for webhook_id, solution in webhooks.items():
                listed = await asyncio.to_thread(walk, next(clients), webhook_id)
                assert listed == platforms[solution].answered
            last = {name: one.answered[-1][0] for name, one in platforms.items()}

            def all_told() -> bool:
                told = told_up_to(endpoint)
                return all(told.get(one, 0) >= last[name] for one, name in webhooks.items())

            # The walks were all by one key, which paces what its webhooks are pinged from then on.
            paced = len(webhooks) / limits.KEY_PINGS_PER_SECOND
            assert await eventually(all_told, TAKEN_OVER_SECONDS + paced)
        for process in itertools.chain(*processes.values()):
            assert "Traceback" not in process.log()


async def test_a_paused_dispatcher_that_lost_its_buckets_settles_and_disables_nothing(
    own_database: str, tmp_path: Path
) -> None:
    """410 disables at once. It comes to the one that was paused, when another has its buckets."""
    key = make_key(own_database, account="acme", name="key", role=Role.ADMIN)
    gone = asyncio.Event()
    other = RoleProcess(own_database, tmp_path, "next", DISPATCHER)
    with (
        RoleProcess(own_database, tmp_path, "api", API, SWEEPER) as api,
        RoleProcess(own_database, tmp_path, "paused", DISPATCHER) as paused,
        contextlib.closing(other),
    ):
        for process in (api, paused):
            await asyncio.to_thread(process.wait_until_ready)
        async with ScriptedEndpoint() as endpoint:
            endpoint.script(Answer(status=410, after=gone))
            with api.client(key, patience_seconds=5) as client:
                made = client.create_webhook("crm", ["RECORD_CREATED"], url=endpoint.url())
                client.publish(changes_body("crm", 1), idempotency_key="n1")
                await endpoint.received(1)
                paused.pause()
                paused_at = CLOCK.monotonic()
                other.start()
                first, second = await endpoint.received(2)
                assert CLOCK.monotonic() - paused_at < TAKEN_OVER_SECONDS
                assert first.headers["webhook-id"] == second.headers["webhook-id"]
                gone.set()
                paused.go_on()
                assert await eventually(lambda: "lease.lost" in paused.log(), 10)
                client.publish(changes_body("crm", 2), idempotency_key="n2")
                assert len(await endpoint.received(3)) == 3
                found = client.get_webhook(made.webhook_id)
                assert "enabled" in found.notification_status
        with psycopg.connect(own_database) as connection:
            assert connection.execute("SELECT count(*) FROM debt").fetchone() == (0,)


async def test_workers_share_a_port_and_one_that_dies_is_started_again(
    own_database: str, tmp_path: Path
) -> None:
    key = make_key(own_database, account="acme", name="key", role=Role.ADMIN)
    with RoleProcess(own_database, tmp_path, "together", *ServerRole, workers=2) as server:
        await asyncio.to_thread(server.wait_until_ready)
        assert await eventually(lambda: sorted(shares(own_database).values()) == [128, 128], 20)
        async with ScriptedEndpoint() as endpoint:
            with server.client(key, patience_seconds=5) as client:
                client.create_webhook("crm", ["RECORD_CREATED"], url=endpoint.url())
                children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
                victim = int(children.read_text().split()[0])
                os.kill(victim, signal.SIGKILL)
                client.publish(changes_body("crm", 1), idempotency_key="n1")
                await endpoint.received(1)
            assert await eventually(lambda: server.log().count(LISTENING) == 3, 20)
            assert str(victim) not in children.read_text().split()
        assert await asyncio.to_thread(server.stop) == 0
    assert all(f"-{victim}-" in holder for holder in shares(own_database)), "not given back"
    assert "Traceback" not in server.log()
