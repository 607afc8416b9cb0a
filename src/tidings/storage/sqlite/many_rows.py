"""Inserting many rows in few steps of a statement.

For each step the driver gives the interpreter's lock away and has to get it back, which beside a
busy event loop takes a millisecond and more: at a step a row, 64 appends of 20 entries took three
seconds there. So a statement takes as many rows as there are, in a few fixed sizes, which keep
their places in the driver's cache of statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import apsw

Row = tuple[int | str | bytes | None, ...]

_SIZES = (64, 16, 4, 1)


class ManyRows:
    """An `INSERT … VALUES (?, …)` of one row, made to take many."""

    def __init__(self, insert: str) -> None:
        begin, end = insert.rindex("("), insert.rindex(")") + 1
        row = insert[begin:end]
        self._statements = {
            size: insert[:begin] + ", ".join([row] * size) + insert[end:] for size in _SIZES
        }

    def insert(self, connection: apsw.Connection, rows: Sequence[Row]) -> None:
        """Insert all rows, in order."""
        done = 0
        for size, statement in self._statements.items():
            while len(rows) - done >= size:
                values = chain.from_iterable(rows[done : done + size])
                connection.execute(statement, tuple(values))
                done += size
