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
from tests.receiver.replicas import KINDS, PARTED, Replica
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
    with FaultProxy(history.port, share=FAULT_SHARE, seed=KINDS.index(kind)) as proxy:
        deaths = rebuilt(replica, history, proxy.url, lived, seed=KINDS.index(kind))
    table, applied = replica.read()
    assert source.differences(history.table, table) == []
    assert applied == list(history.positions), "each event once, in order"
    assert deaths.event + deaths.work == KILLS
    assert min(deaths.event, deaths.work) > 0
    assert sum(proxy.faults[fault] for fault in FAULTS) > KILLS


@pytest.mark.parametrize("kind", PARTED)
def test_work_and_place_in_transactions_of_their_own_are_found_out(
    kind: str, history: History, lived: Callable[[Orders], Deaths], tmp_path: Path
) -> None:
    replica = Replica(kind, str(tmp_path / "replica.db"))
    rebuilt(replica, history, f"http://127.0.0.1:{history.port}", lived, seed=0)
    _, applied = replica.read()
    if kind.endswith("place first"):
        assert set(history.positions) - set(applied), "something is left out"
    else:
        assert len(applied) > len(set(applied)), "something is done twice"


def rebuilt(
    replica: Replica, history: History, url: str, lived: Callable[[Orders], Deaths], *, seed: int
) -> Deaths:
    """Have a replica follow the whole history through its deaths; return them."""
    replica.make_tables()
    orders = Orders(
        kind=replica.kind,
        database=replica.url,
        url=url,
        key=history.key,
        webhook_id=history.webhook_id,
        last=history.positions[-1],
        page_size=PAGE_SIZE,
        kills=KILLS,
        seed=seed,
    )
    return lived(orders)
