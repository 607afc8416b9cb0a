"""`make simulate [SEED=n] [SEEDS=n]`: play the simulated months of one seed, or of many.

A month of pings has followers among its clients, a month of sheets receivers among its endpoints:
production's own. What is sent goes through production's sender and guard, by scripted DNS.

What was played on 2026-11-22, before those were in it: the month of pings by the seeds 0 to 199, in
part by earlier states of this world; the month of sheets by seven seeds. With them in it: either
month by the seeds 2 to 4. No seed found a fault of the engine. What failed was the world's own and
is mended: a first empty page that nobody judged; publishes repeated after more than a day; jumps of
the clock after which nothing is published or swept until somebody heeds the alarm (28, 93, 121); a
ping at the instant of a publish (158, 199).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from functools import partial
from pathlib import Path

from tests.simulation.loop import run
from tests.simulation.month import DAYS, Month, Script, play
from tests.simulation.month_of_sheets import MonthOfSheets
from tests.simulation.server import IN_MEMORY, Server
from tidings.clock import SystemClock

KINDS: tuple[type[Month], ...] = (Month, MonthOfSheets)
"""What is played by each seed."""


def simulate(
    seed: int, days: int = DAYS, script: Script | None = None, kind: type[Month] = Month
) -> Month:
    """Play one seed's month, or a script, on a database in memory.

    Raises Violation where an invariant breaks.
    """

    async def main() -> Month:
        server = await Server.open_seeded(Path(folder) / "tidings.db", seed)
        return await play(server, seed, script or partial(kind.play, days=days), kind)

    in_memory = str(IN_MEMORY) if IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="tidings-", dir=in_memory) as folder:
        return run(main())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _report(seed: int, kind: type[Month] = Month) -> bool:
    """Play a seed and print a line of it; return whether all held."""
    began = SystemClock().monotonic()
    try:
        month = simulate(seed, kind=kind)
    except Exception:  # noqa: BLE001 - whatever broke, the seed and its command are to be told
        traceback.print_exc()
        _say(f"seed {seed} FAILED. Repeat it: make simulate SEED={seed}")
        return False
    _say(f"seed {seed}: {month.summary()}, in {SystemClock().monotonic() - began:.0f} s")
    return True


def _main() -> int:
    arguments = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    arguments.add_argument("--seed", type=int, help="play this one alone")
    arguments.add_argument("--seeds", type=int, default=10, help="play so many, from 0 on")
    wish = arguments.parse_args()
    seeds = range(wish.seeds) if wish.seed is None else [wish.seed]
    failed = {seed for seed in seeds for kind in KINDS if not _report(seed, kind)}
    _say(f"{len(seeds) - len(failed)} of {len(seeds)} seeds held")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(_main())
