"""Real followers, killed again and again, before a server that fails: each ends as a replica.

The changes are those of a real history; the kills and the faults are drawn by fixed seeds.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.acceptance.processes import RunningServer
from tests.receiver.fault_proxy import FAULTS, FaultProxy
from tests.receiver.follower_lives import Deaths, Orders
from tests.receiver.replicas import KINDS, Replica
from tidings.demo import source

REVISIONS = 20
"""Of 189: 1,413 changes, with records that come, change and go."""
KILLS = 5
PAGE_SIZE = 30
FAULT_SHARE = 0.3


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A server that holds a real history, and what it comes to."""

    port: int
    key: str
    webhook_id: str
    positions: tuple[int, ...]
    table: source.Table


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """A real server with the whole history in its log."""
    revisions = source.load_revisions()[:REVISIONS]
    with RunningServer(tmp_path_factory.mktemp("history")) as server:
        key = server.make_key()
        with server.client(key) as client:
            kinds = ["RECORD_CREATED", "RECORD_UPDATED", "RECORD_DELETED"]
            webhook = client.create_webhook(source.SOLUTION, kinds)
            whole = source.Revision(1, "all", tuple(c for r in revisions for c in r.changes))
            client.publish(source.publish_body(whole), idempotency_key="all")
            positions: list[int] = []
            token = None
            while True:
                page = client.list_events(webhook.webhook_id, page_token=token, page_size=1_000)
                positions += [event.position for event in page.events]
                token = page.next_page_token
                if not page.has_more:
                    break
        yield History(
            port=int(server.url.rpartition(":")[2]),
            key=key,
            webhook_id=webhook.webhook_id,
            positions=tuple(positions),
            table=source.table_after(revisions),
        )


@pytest.fixture(scope="module")
def lived() -> Iterator[Callable[[Orders], Deaths]]:
    """Have a follower live and die as ordered, until all is applied; return how its lives ended."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.receiver.follower_lives"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        orders_to, deaths_from = process.stdin, process.stdout

        def live(orders: Orders) -> Deaths:
            orders_to.write(msgspec.json.encode(orders) + b"\n")
            orders_to.flush()
            return msgspec.json.decode(deaths_from.readline(), type=Deaths)

        yield live
    assert process.returncode == 0


@pytest.mark.parametrize("kind", KINDS)
def test_it_ends_as_an_exact_replica_though_it_is_killed_and_its_server_fails(
    kind: str,
    history: History,
    lived: Callable[[Orders], Deaths],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    if kind == "sqlite3":
        database = str(tmp_path / "replica.db")
    else:
        database = request.getfixturevalue("postgres_url")
    replica = Replica(kind, database)
    replica.make_tables()
    with FaultProxy(history.port, share=FAULT_SHARE, seed=KINDS.index(kind)) as proxy:
        orders = Orders(
            kind=kind,
            database=database,
            url=proxy.url,
            key=history.key,
            webhook_id=history.webhook_id,
            last=history.positions[-1],
            page_size=PAGE_SIZE,
            kills=KILLS,
            seed=KINDS.index(kind),
        )
        deaths = lived(orders)
    table, applied = replica.read()
    assert source.differences(history.table, table) == []
    assert applied == list(history.positions), "each event once, in order"
    assert deaths.event + deaths.work == KILLS
    assert min(deaths.event, deaths.work) > 0
    assert sum(proxy.faults[fault] for fault in FAULTS) > KILLS
