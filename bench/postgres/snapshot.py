"""What a snapshot that is open for a minute, as a backup's, costs those who publish (L2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg

from bench.filling import Filling, fill
from bench.pairs import loaded
from bench.postgres.cluster import running_cluster
from bench.processes import tidings
from bench.report import Row, Slice, compared
from bench.sizes import Sizes
from bench.traffic import ACCOUNT, publish_request

_SOLUTIONS = 8
_LEAST = 0.7


def measure(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Measure appends before a snapshot, in its last seconds, and after it."""

    async def with_key(filling: Filling) -> str:
        return await filling.key(ACCOUNT)

    with running_cluster() as cluster:
        database = cluster.database()
        key = fill(database, with_key)
        requests = [publish_request(key, f"solution-{n}", 1) for n in range(_SOLUTIONS)]
        with tidings(database, folder, "--roles", "api") as ours:

            def published(seconds: float) -> Slice:
                return loaded(
                    ours,
                    requests,
                    seconds=seconds,
                    connections=sizes.connections,
                    per_request=1,
                    database_cpu=cluster.cpu_seconds,
                )

            published(sizes.seconds)
            before = [published(sizes.seconds) for _ in range(sizes.rounds)]
            with psycopg.connect(database) as reader:
                reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                reader.execute((Path(__file__).parent / "look.sql").read_text().encode())
                # Held through all of this time; what counts is its end, where most has rotted.
                published(max(0.1, sizes.snapshot_seconds - sizes.rounds * sizes.seconds))
                beside = [published(sizes.seconds) for _ in range(sizes.rounds)]
            after = [published(sizes.seconds) for _ in range(sizes.rounds)]
    without = [
        first if n % 2 else last for n, (first, last) in enumerate(zip(before, after, strict=True))
    ]
    yield compared(
        "PostgreSQL: publish, 1 a request, a snapshot held open",
        "changes/s",
        list(zip(beside, without, strict=True)),
        least_ratio=_LEAST,
        note=f"at the end of {sizes.snapshot_seconds:g} s; bare: without it, before and after",
    )
