"""Simulated days of a few seeds; `make simulate` plays whole months, of as many as you like."""

from __future__ import annotations

import pytest

from tests.simulation.__main__ import simulate

SMOKE_SEEDS = (2, 3)
DAYS = 3
"""Enough for retries, crashes and jumps; weeks are for `make simulate`."""


@pytest.mark.parametrize("seed", SMOKE_SEEDS)
def test_the_invariants_hold_through_simulated_days(seed: int) -> None:
    month = simulate(seed, DAYS)
    assert month.history.subscribers
    assert month.history.changes


def test_a_seed_plays_the_same_days_again() -> None:
    assert simulate(4, 1).summary() == simulate(4, 1).summary()
