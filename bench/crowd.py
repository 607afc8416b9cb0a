"""What 100,000 webhooks in an account cost: its publishers, and the memory.

A hundred webhooks a solution, each on a table of its own with pings off, so that a change matches
one of them on either side: what is measured is their number, not their matching.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.filling import Filling, Wished, fill, url_of
from bench.pairs import paired
from bench.processes import tidings
from bench.report import Row, compared
from bench.sizes import Sizes
from bench.traffic import ACCOUNT, APPLICATION, publish_request

_A_SOLUTION = 100
_PUBLISHED_SOLUTIONS = 8
_LEAST = 0.9
_MEBIBYTE = 1024 * 1024


def measure(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Measure publishing beside many webhooks against publishing beside one."""
    many, one = (folder / "many", folder / "one")
    for room in (many, one):
        room.mkdir()
    many_key, one_key = _filled(many / "db", sizes.webhooks), _filled(one / "db", 1)
    with tidings(url_of(many / "db"), many) as crowded, tidings(url_of(one / "db"), one) as alone:
        held, least = crowded.resident_bytes(), alone.resident_bytes()
        yield Row(
            name=f"resident memory, {sizes.webhooks:,} webhooks",
            unit="MiB",
            ours=held / _MEBIBYTE,
            bare=least / _MEBIBYTE,
            note=f"bare: one webhook; {(held - least) / sizes.webhooks:,.0f} bytes a webhook",
        )
        pairs = paired(
            sizes,
            (crowded, _requests(many_key)),
            (alone, _requests(one_key)),
            connections=sizes.connections,
            per_request=1,
        )
    yield compared(
        f"publish, 1 a request, {sizes.webhooks:,} webhooks",
        "changes/s",
        pairs,
        least_ratio=_LEAST,
        note="bare: the same server with one webhook",
    )


def _filled(file: Path, webhooks: int) -> str:
    async def filled(filling: Filling) -> str:
        await filling.webhooks(
            Wished(
                account=ACCOUNT,
                solution=f"solution-{number // _A_SOLUTION}",
                application=f"table-{table}" if (table := number % _A_SOLUTION) else APPLICATION,
            )
            for number in range(webhooks)
        )
        return await filling.key(ACCOUNT)

    return fill(url_of(file), filled)


def _requests(key: str) -> list[bytes]:
    return [publish_request(key, f"solution-{n}", 1) for n in range(_PUBLISHED_SOLUTIONS)]
