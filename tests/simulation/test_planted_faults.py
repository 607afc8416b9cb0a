"""The checkers bite: a fault of the kind that the mechanics warn of is planted, and found."""

from __future__ import annotations

import pytest

from tests.simulation.__main__ import simulate
from tests.simulation.invariants import Violation
from tests.simulation.planted_faults import FAULTS, Plant


@pytest.mark.parametrize(("fault", "invariant", "seed", "days"), FAULTS)
def test_a_planted_fault_is_found_by_the_checker_of_its_invariant(
    fault: object, invariant: str, seed: int, days: int, monkeypatch: Plant
) -> None:
    assert callable(fault)
    fault(monkeypatch)
    with pytest.raises(Violation, match=f"^{invariant}:"):
        simulate(seed, days)
