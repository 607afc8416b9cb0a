"""Random hours of a sheet: what callbacks promise holds whatever its owners do at one moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.random_hour import RandomHour
from tests.simulation.sheets import SheetWorld
from tidings.domain import limits

pytestmark = pytest.mark.anyio

SEEDS = range(17, 20)
"""A second's worth, of seeds that found faults. More are tried by hand, by widening the range."""


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_invariants_hold_through_a_random_hour_of_a_sheet(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CALLBACK_EVENTS", 4)  # so that a change may be several callbacks
    world = await SheetWorld.open(tmp_path / "tidings.db", seed=seed)
    try:
        await RandomHour(world, seed).play()
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
    finally:
        await world.close()
