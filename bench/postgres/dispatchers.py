"""How many pings a second two dispatchers send, beside one.

A change in each of 64 accounts owes a ping to each of their webhooks at once. No key has listed any
of them, so each has the pace of a key of its own. The receiver, the database and the dispatchers
share the machine: with few cores a second dispatcher can only take from what the first one has, so
the row also says by how much processor time more, and how evenly, two did the work of one.
"""

from __future__ import annotations

import asyncio
import os
import statistics
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import msgspec
import psycopg

from bench.burst import PACE_SECONDS, all_seen, seen_by
from bench.filling import Filling, Wished, fill
from bench.postgres.cluster import Cluster, running_cluster, settle
from bench.processes import Process, running, tidings
from bench.report import Row, Slice, compared
from bench.sizes import Sizes
from tidings.clock import SystemClock
from tidings.domain.buckets import BUCKETS

_ACCOUNTS = 64
"""Their buckets are spread over all, so two dispatchers have about half of them each."""
_SOLUTION = "641b70cb0d94c969a49983aa"
_SHARE = 5
"""One in so many of the webhooks that a burst on SQLite has: each costs a transaction to make."""
_LEAST = 1.6
_CORES_LEAST = 5
"""For two dispatchers, what the database does for each, and the receiver."""
_READY_SECONDS = 60.0
_LOOK_SECONDS = 0.05
_HOLDERS = Path(__file__).parent / "holders.sql"


class _Side(msgspec.Struct, frozen=True):
    """A database, and the dispatchers that share its buckets."""

    database: str
    dispatchers: Sequence[Process]


class _Burst(msgspec.Struct, frozen=True):
    """A burst's slice, and the processor time of each dispatcher in it."""

    slice: Slice
    each: Sequence[float]


def measure(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Measure bursts of pings by two processes, in turns with one, on equal databases."""
    wanted = max(1, sizes.pings // _SHARE)
    accounts = [f"account-{number}" for number in range(min(_ACCOUNTS, wanted))]
    each = wanted // len(accounts)
    owed = each * len(accounts)
    published = partial(_published, accounts=accounts)
    with (
        running_cluster() as cluster,
        running("bench.receiver", 0, log=folder / "receiver.log") as receiver,
        ExitStack() as stack,
    ):
        first = cluster.database()
        fill(first, partial(_filled, accounts=accounts, port=receiver.port, each=each))
        second = cluster.copy(first)
        settle(first)
        one, two = (
            _started(stack, folder, database, count)
            for database, count in ((first, 1), (second, 2))
        )
        burst = partial(_burst, published=published, receiver=receiver, cluster=cluster, owed=owed)
        if sizes.rounds > 1:  # connections, statements, caches: the first burst pays for all
            for side in (one, two):
                burst(side)
        pairs = [(burst(two), burst(one)) for _ in range(sizes.rounds)]
    busier = statistics.median(max(both.each) / (sum(both.each) or 1) for both, _ in pairs)
    cores = len(os.sched_getaffinity(0))
    few = f"; {cores} cores are too few for two" if cores < _CORES_LEAST else ""
    yield compared(
        "PostgreSQL: pings, two dispatchers",
        "pings/s",
        [(both.slice, alone.slice) for both, alone in pairs],
        least_ratio=_LEAST,
        note=f"bare: one; the busier of two did {busier:.0%} of their work{few}",
    )


def _started(stack: ExitStack, folder: Path, database: str, count: int) -> _Side:
    """Start dispatchers of one database; return once each holds its share of the buckets."""
    dispatchers = []
    for number in range(count):
        own = folder / f"{count}-{number}"
        own.mkdir()
        dispatchers.append(stack.enter_context(tidings(database, own, "--roles", "dispatcher")))
    clock = SystemClock()
    ends_at = clock.monotonic() + _READY_SECONDS
    with psycopg.connect(database, autocommit=True) as connection:
        query, held = _HOLDERS.read_text().encode(), list[int]()
        while held != [BUCKETS // count] * count:
            if clock.monotonic() > ends_at:
                raise RuntimeError(f"the buckets aren't shared out: {held}")
            clock.pause(_LOOK_SECONDS)
            held = [int(row[0]) for row in connection.execute(query)]
    return _Side(database, dispatchers)


async def _filled(filling: Filling, *, accounts: Sequence[str], port: int, each: int) -> None:
    for account in accounts:
        wish = Wished(account=account, solution=_SOLUTION, url=f"http://127.0.0.1:{port}/hook")
        await filling.webhooks([wish] * each)


async def _published(filling: Filling, *, accounts: Sequence[str]) -> None:
    await asyncio.gather(*(filling.events(account, _SOLUTION, 1) for account in accounts))


def _burst(
    side: _Side,
    *,
    published: Callable[[Filling], Coroutine[object, object, None]],
    receiver: Process,
    cluster: Cluster,
    owed: int,
) -> _Burst:
    """Publish a change in every account, and wait until each webhook is pinged."""
    SystemClock().pause(PACE_SECONDS)
    seen_by(receiver)
    cpu = [process.cpu_seconds() for process in side.dispatchers]
    fill(side.database, published)
    database_cpu = cluster.cpu_seconds()
    seen = all_seen(receiver, owed)
    each = [
        process.cpu_seconds() - before
        for process, before in zip(side.dispatchers, cpu, strict=True)
    ]
    return _Burst(
        Slice(
            done=seen.count,
            seconds=seen.last_at - seen.first_at,
            cpu_seconds=sum(each),
            database_cpu_seconds=cluster.cpu_seconds() - database_cpu,
        ),
        each,
    )
