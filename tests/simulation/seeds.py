"""Seeds and their months: one by one for tests, many side by side for `make simulate`."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
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


def _played(seed: int, kind: type[Month]) -> tuple[bool, str]:
    """Play a seed's month; return whether all held, and a line of it."""
    began = SystemClock().monotonic()
    try:
        month = simulate(seed, kind=kind)
    except Exception:  # noqa: BLE001 - whatever broke, the seed and its command are to be told
        told = f"seed {seed} FAILED. Repeat it: make simulate SEED={seed}"
        return False, f"{traceback.format_exc()}{told}"
    seconds = SystemClock().monotonic() - began
    return True, f"seed {seed}: {month.summary()}, in {seconds:.0f} s"


def play_all(seeds: Sequence[int], say: Callable[[str], None]) -> set[int]:
    """Play months side by side, one a processor, and say each that has ended; return who failed.

    Each in a process of its own: what a month leaves behind is not the next one's.
    """
    failed = set()
    pool = ProcessPoolExecutor(max_tasks_per_child=1, mp_context=get_context("spawn"))
    with pool:
        months = {pool.submit(_played, seed, kind): seed for seed in seeds for kind in KINDS}
        for month in as_completed(months):
            held, line = month.result()
            say(line)
            if not held:
                failed.add(months[month])
    return failed
