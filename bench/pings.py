"""How many pings a second reach an endpoint on this machine, at 64 and at 256 in flight.

A change in each of 16 accounts owes a ping to each of their webhooks at once. Over many webhooks
that no key has listed, so that the pace (one a second for a webhook, three for a key) doesn't bind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.burst import ACCOUNTS, bare_burst, burst
from bench.filling import Filling, Wished, fill, url_of
from bench.processes import running, tidings
from bench.report import Row, compared
from bench.sizes import Sizes
from bench.traffic import publication

AT_ONCE = (64, 256)
_SOLUTION = "641b70cb0d94c969a49983aa"
_LEAST = 0.5


def measure(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Measure bursts of pings beside a bare loop of libcurl, to the same receiver."""
    each = sizes.pings // ACCOUNTS
    owed = each * ACCOUNTS
    with running("bench.receiver", 0, log=folder / "receiver.log") as receiver:
        for at_once in AT_ONCE:
            file = folder / f"pings-{at_once}.db"
            keys = _filled(file, receiver.port, each)
            with tidings(url_of(file), folder, "--sends", at_once) as ours:
                pairs = [
                    (
                        burst(ours, receiver, keys, publication(_SOLUTION, 1), owed),
                        bare_burst("bench.bare.pings", receiver.port, owed, at_once),
                    )
                    for _ in range(sizes.rounds)
                ]
            yield compared(
                f"pings, {at_once} at once",
                "pings/s",
                pairs,
                least_ratio=_LEAST,
                note=f"{owed:,} webhooks that no key has listed: the pace doesn't bind",
            )


def _filled(file: Path, port: int, each: int) -> Sequence[str]:
    async def filled(filling: Filling) -> list[str]:
        keys = []
        url = f"http://127.0.0.1:{port}/hook"
        for number in range(ACCOUNTS):
            account = f"account-{number}"
            wish = Wished(account=account, solution=_SOLUTION, url=url)
            await filling.webhooks([wish] * each)
            keys.append(await filling.key(account))
        return keys

    return fill(url_of(file), filled)
