"""Draws from a seed: the same seed gives the same draws on every machine and version."""

from __future__ import annotations

import math

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15


class Dice:
    """SplitMix64 (Steele, Lea and Flood, 2014): 64 bits of state, no seed is a bad one."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def uniform(self) -> float:
        """Return a number in [0, 1)."""
        self._state = (self._state + _STEP) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)

    def exponential(self, mean: float) -> float:
        """Return a time until the next of what comes at random, once in `mean` on average."""
        return -mean * math.log(1.0 - self.uniform())
