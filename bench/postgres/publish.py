"""How many changes a second are published into PostgreSQL over HTTP, and durable.

At 1, 10 and 100 a request beside the bare path; and what one hot account, which is one bucket and
so one lane, reaches of what many accounts do.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.filling import Filling, fill
from bench.pairs import paired
from bench.postgres.cluster import running_cluster
from bench.processes import running, tidings
from bench.report import Row, compared
from bench.sizes import Sizes
from bench.traffic import ACCOUNT, publish_request

CHANGES_A_REQUEST = (1, 10, 100)
ALONE_CHANGES = (1, 1_000)
"""On one connection, one request after the other: how long a commit keeps its lane."""
_SOLUTIONS = 8
_ACCOUNTS = 64
_LEAST = 0.6
_LEAST_HOT = 0.7
_HOT_CHANGES = 100


def measure(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Measure publishing beside the bare path, on an empty log without webhooks."""
    accounts = [ACCOUNT, *(f"account-{number}" for number in range(1, _ACCOUNTS))]

    async def with_keys(filling: Filling) -> list[str]:
        return [await filling.key(account) for account in accounts]

    with running_cluster() as cluster:
        database, bare_database = cluster.database(), cluster.database()
        keys = fill(database, with_keys)
        fill(bare_database, with_keys)
        with (
            tidings(database, folder, "--roles", "api") as ours,
            running("bench.bare.postgres_publish", bare_database, log=folder / "b.log") as bare,
        ):
            for count in CHANGES_A_REQUEST:
                requests = [
                    publish_request(keys[0], f"solution-{n}", count) for n in range(_SOLUTIONS)
                ]
                pairs = paired(
                    sizes,
                    (ours, requests),
                    (bare, requests),
                    connections=sizes.connections,
                    per_request=count,
                    database_cpu=cluster.cpu_seconds,
                )
                name = f"PostgreSQL: publish, {count} a request"
                yield compared(name, "changes/s", pairs, least_ratio=_LEAST)
            for count in ALONE_CHANGES:
                requests = [publish_request(keys[0], "solution-0", count)]
                pairs = paired(
                    sizes,
                    (ours, requests),
                    (bare, requests),
                    connections=1,
                    per_request=count,
                    database_cpu=cluster.cpu_seconds,
                )
                yield compared(f"PostgreSQL: publish, {count} alone", "changes/s", pairs)
            pairs = paired(
                sizes,
                (ours, [publish_request(keys[0], "solution-0", _HOT_CHANGES)]),
                (ours, [publish_request(key, "solution-0", _HOT_CHANGES) for key in keys]),
                connections=sizes.connections,
                per_request=_HOT_CHANGES,
                database_cpu=cluster.cpu_seconds,
            )
            yield compared(
                f"PostgreSQL: publish, {_HOT_CHANGES} a request, a hot account",
                "changes/s",
                pairs,
                least_ratio=_LEAST_HOT,
                note=f"bare: the same server with {_ACCOUNTS} accounts",
            )
