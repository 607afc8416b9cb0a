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
