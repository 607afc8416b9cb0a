"""The checkers bite: a fault of a kind that the mechanics warn of is planted, and found."""

from __future__ import annotations

import pytest

from tests.simulation.faults_of_the_log import Plant
from tests.simulation.invariants import Violation
from tests.simulation.month import Month, Script
from tests.simulation.planted_faults import PLANTED, Planted
from tests.simulation.seeds import simulate

SCENES = list(dict.fromkeys((planted.scene, planted.kind) for planted in PLANTED))
CHECKED = set(range(1, 13))


def _name(value: object) -> str | None:
    named = value.fault if isinstance(value, Planted) else value
    return getattr(named, "__name__", None)


@pytest.mark.parametrize("planted", PLANTED, ids=_name)
def test_a_planted_fault_is_found_by_the_checker_of_its_invariant(
    planted: Planted, monkeypatch: Plant
) -> None:
    planted.fault(monkeypatch)
    with pytest.raises(Violation, match=f"^{planted.invariant}:"):
        simulate(1, script=planted.scene, kind=planted.kind)


@pytest.mark.parametrize(("scene", "kind"), SCENES, ids=_name)
def test_without_a_fault_the_same_scene_holds(scene: Script, kind: type[Month]) -> None:
    simulate(1, script=scene, kind=kind)


def test_the_checker_of_each_invariant_has_bitten() -> None:
    assert {planted.invariant for planted in PLANTED} == CHECKED
