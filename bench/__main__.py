"""`python -m bench`: run the measurements that BENCH names, or all of them.

BENCH is names by commas; sizes are bench/sizes.py's. Results go to BENCH_RESULTS, bench/results by
default.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from bench import callbacks, calls, crowd, follower, latency, listing, pings, publish
from bench.machine import this_machine
from bench.postgres import dispatchers as postgres_dispatchers
from bench.postgres import listing as postgres_listing
from bench.postgres import publish as postgres_publish
from bench.postgres import snapshot as postgres_snapshot
from bench.report import Report, Row, keep, show
from bench.sizes import Sizes, current_sizes
from tidings.clock import SystemClock
from tidings.demo.private_postgres import NoPostgreSQL

Measure = Callable[[Sizes, Path], Iterator[Row]]
MEASURES: dict[str, Measure] = {
    "publish": publish.measure,
    "listing": listing.measure,
    "pings": pings.measure,
    "callbacks": calls.measure,
    "latency": latency.measure,
    "crowd": crowd.measure,
    "follower": follower.measure,
    "receiver": callbacks.measure,
    "postgres-publish": postgres_publish.measure,
    "postgres-listing": postgres_listing.measure,
    "postgres-snapshot": postgres_snapshot.measure,
    "postgres-dispatchers": postgres_dispatchers.measure,
}


def main() -> int:
    """Measure, print a table, keep the JSON. Returns 0, whatever was measured; 2 for a bad name."""
    names = [name for name in os.environ.get("BENCH", "").replace(",", " ").split() if name]
    unknown = set(names) - set(MEASURES)
    console = Console(width=None if sys.stdout.isatty() else 160)
    if unknown:
        console.print(f"BENCH is {', '.join(MEASURES)}; not {', '.join(sorted(unknown))}.")
        return 2
    sizes, machine = current_sizes(), this_machine(SystemClock().now())
    rows: list[Row] = []
    for name in names or MEASURES:
        with tempfile.TemporaryDirectory(prefix=f"tidings-bench-{name}-") as folder:
            try:
                for row in MEASURES[name](sizes, Path(folder)):
                    console.print(f"{row.name}: {row.ours:,.3g} {row.unit}", highlight=False)
                    rows.append(row)
            except NoPostgreSQL as error:
                console.print(f"{name} isn't measured. {error}", highlight=False)
    report = Report(machine=machine, sizes=sizes, rows=rows)
    show(report, console)
    folder = os.environ.get("BENCH_RESULTS") or str(Path(__file__).parent / "results")
    console.print(f"kept in {keep(report, Path(folder))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
