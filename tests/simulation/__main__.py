"""`make simulate [SEED=n] [SEEDS=n]`: play the simulated months of one seed, or of many.

A month of pings has followers among its clients, a month of sheets receivers among its endpoints:
production's own. What is sent goes through production's sender and guard, by scripted DNS.

What was played on 2026-11-22: both months by the seeds 0 to 199. None found a fault of the engine.
Two found the world's own: a page that only the judges had read (9), and a spell of storage failures
within which time was judged to be undisturbed (84). Before followers, receivers and the guard lived
in it the months of pings had found more of that kind: a first empty page that nobody judged;
publishes repeated after more than a day; jumps of the clock after which nothing is published or
swept until somebody heeds the alarm (28, 93, 121); a ping at the instant of a publish (158, 199).
What did find faults of the engine are the shorter random hours of one sheet (`random_hour.py`).
"""

from __future__ import annotations

import argparse
import sys

from tests.simulation.seeds import play_all


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _main() -> int:
    arguments = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    arguments.add_argument("--seed", type=int, help="play this one alone")
    arguments.add_argument("--seeds", type=int, default=10, help="play so many, from 0 on")
    wish = arguments.parse_args()
    seeds = range(wish.seeds) if wish.seed is None else [wish.seed]
    failed = play_all(seeds, _say)
    _say(f"{len(seeds) - len(failed)} of {len(seeds)} seeds held")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(_main())
