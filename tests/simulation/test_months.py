"""Simulated days of a few seeds; `make simulate` plays whole months, of as many as you like."""

from __future__ import annotations

import pytest

from tests.simulation.month import Month
from tests.simulation.seeds import KINDS, simulate

SMOKE_SEEDS = (2, 3)
DAYS = 3
"""Enough for retries, crashes and jumps; weeks are for `make simulate`."""


@pytest.mark.parametrize("seed", SMOKE_SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_invariants_hold_through_simulated_days(seed: int, kind: type[Month]) -> None:
    month = simulate(seed, DAYS, kind=kind)
    assert month.published()


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_plays_the_same_days_again(kind: type[Month]) -> None:
    assert simulate(4, 1, kind=kind).summary() == simulate(4, 1, kind=kind).summary()
