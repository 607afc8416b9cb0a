"""How long it takes from a publish to the ping at the endpoint, at 200 changes a second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.filling import Filling, Wished, fill, url_of
from bench.probe import Probe, run_probe
from bench.processes import running, tidings
from bench.report import Row
from bench.sizes import Sizes
from bench.traffic import ACCOUNT
from tidings.demo.processes import free_port

_CHANGES_PER_SECOND = 200
_SOLUTIONS = 400
"""Each has one webhook, which so is pinged every two seconds: the pace doesn't bind."""
_SLICES = 5
"""Of a slice's time: percentiles want many changes."""
_MOST_MS = 50.0


def measure(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Measure the delay of pings, beside that of the bare path's answer to the same publishes."""
    file, bare_file, endpoint = folder / "latency.db", folder / "bare.db", free_port()
    solutions = [f"solution-{number}" for number in range(_SOLUTIONS)]

    async def filled(filling: Filling) -> str:
        url = f"http://127.0.0.1:{endpoint}/hook"
        wishes = [Wished(account=ACCOUNT, solution=name, url=url) for name in solutions]
        await filling.webhooks(wishes)
        return await filling.key(ACCOUNT)

    key = fill(url_of(file), filled)
    fill(url_of(bare_file), filled)
    with (
        tidings(url_of(file), folder) as ours,
        running("bench.bare.publish", bare_file, log=folder / "bare.log") as bare,
    ):
        answered, pinged = (
            run_probe(
                Probe(
                    port=port,
                    key=key,
                    solutions=solutions,
                    changes_per_second=_CHANGES_PER_SECOND,
                    seconds=sizes.seconds * _SLICES,
                    endpoint_port=pinged_at,
                )
            )
            for port, pinged_at in ((bare.port, None), (ours.port, endpoint))
        )
    for percent, most in ((50, None), (99, _MOST_MS)):
        yield Row(
            name=f"publish to ping, p{percent}",
            unit="ms",
            ours=_percentile(pinged.pinged_ms, percent),
            bare=_percentile(answered.answered_ms, percent),
            most=most,
            note=f"bare: until the bare publish is answered; {pinged.missing} pings missing",
        )


def _percentile(values: Sequence[float], percent: int) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, len(ranked) * percent // 100)]
