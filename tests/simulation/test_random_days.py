"""Random days: what the invariants say holds whatever happens, in whatever order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.random_day import RandomDay
from tests.simulation.world import World

pytestmark = pytest.mark.anyio

SEEDS = range(3)
"""A few seconds' worth. More of them are tried by hand, by widening the range."""


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_invariants_hold_through_a_random_day(tmp_path: Path, seed: int) -> None:
    world = await World.open(tmp_path / "tidings.db", seed=seed)
    try:
        await RandomDay(world, seed).play()
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
    finally:
        await world.close()
