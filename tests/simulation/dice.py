"""Choices that a seed fixes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from tidings.testing.clock import ManualClock

T = TypeVar("T")


class Dice:
    """The same seed falls the same way every time."""

    def __init__(self, seed: int) -> None:
        self._draw = ManualClock(seed=seed).draw

    def chance(self, share: float) -> bool:
        """Return True in so many cases of one."""
        return share > 0 and self._draw() < share

    def below(self, count: int) -> int:
        """Return a whole number from 0 on."""
        return int(self._draw() * count)

    def one_of(self, choices: Sequence[T]) -> T:
        """Return one of these."""
        return choices[self.below(len(choices))]
