"""How many changes a second are published over HTTP, and durable, at 1, 10 and 100 a request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.filling import Filling, fill, url_of
from bench.pairs import paired
from bench.processes import running, tidings
from bench.report import Row, compared
from bench.sizes import Sizes
from bench.traffic import ACCOUNT, publish_request

CHANGES_A_REQUEST = (1, 10, 100)
_SOLUTIONS = 8
_LEAST = 0.6


def measure(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Measure publishing beside the bare path, on an empty log without webhooks."""
    file, bare_file = folder / "publish.db", folder / "publish-bare.db"

    async def with_key(filling: Filling) -> str:
        return await filling.key(ACCOUNT)

    key = fill(url_of(file), with_key)
    fill(url_of(bare_file), with_key)
    with (
        tidings(url_of(file), folder) as ours,
        running("bench.bare.publish", bare_file, log=folder / "bare.log") as bare,
    ):
        for count in CHANGES_A_REQUEST:
            requests = [publish_request(key, f"solution-{n}", count) for n in range(_SOLUTIONS)]
            pairs = paired(
                sizes,
                (ours, requests),
                (bare, requests),
                connections=sizes.connections,
                per_request=count,
            )
            name = f"publish, {count} a request"
            yield compared(name, "changes/s", pairs, least_ratio=_LEAST)
