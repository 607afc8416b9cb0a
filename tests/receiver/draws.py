"""Draws that a seed fixes, for processes that have to start fast."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import count
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """The same seed draws the same every time."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn = count()

    def below(self, limit: int) -> int:
        """Return a whole number from 0 on."""
        text = f"{self._seed} {next(self._drawn)}".encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:8]) % limit

    def chance(self, share: float) -> bool:
        """Return True in so many cases of one."""
        return self.below(1_000_000) < share * 1_000_000

    def one_of(self, choices: Sequence[T]) -> T:
        """Return one of these."""
        return choices[self.below(len(choices))]
