"""One INSERT of one row, run for many rows in few statements.

Each call of SQLite gives the interpreter to other threads and has to get it back, which under load
costs more than the insert itself; so a group goes over in statements of 64, 32, … rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Final

Row = Sequence[object]
_SIZES: Final = (64, 32, 16, 8, 4, 2, 1)
_VALUES: Final = "VALUES "


class ManyRows:
    """The statement's one row of values stands between `VALUES` and its end or `ON CONFLICT`."""

    def __init__(self, statement: str) -> None:
        before, _, rest = statement.rstrip("; \n").partition(_VALUES)
        row, conflict, after = rest.partition(" ON CONFLICT")
        self._statements = {
            size: f"{before}{_VALUES}{', '.join([row] * size)}{conflict}{after}" for size in _SIZES
        }

    def insert(self, db: sqlite3.Connection, rows: Sequence[Row]) -> int:
        """Insert rows in their order; return how many there are of them now."""
        done = inserted = 0
        for size, statement in self._statements.items():
            while len(rows) - done >= size:
                values = tuple(chain.from_iterable(rows[done : done + size]))
                inserted += db.execute(statement, values).rowcount
                done += size
        return inserted
