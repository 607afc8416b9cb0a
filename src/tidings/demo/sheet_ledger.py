"""What the demo's second receiver keeps of callbacks, in its inbox's own file and transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path

from tidings.demo.sheet import Told
from tidings.sql_files import named_queries

_SQL = named_queries((files(__package__) / "sheet_ledger.sql").read_text(encoding="utf-8"))


def handle(event: Told, database: sqlite3.Connection) -> None:
    """Note one event, and what it means for the sheet, in a transaction that is under way."""
    database.execute(_SQL["add_handled"], event)
    if event.object_type == "row" and event.event_type == "created":
        database.execute(_SQL["add_live"], (event.row,))
    elif event.object_type == "row" and event.event_type == "deleted":
        database.execute(_SQL["drop_live"], (event.row,))


class SheetLedger:
    """The receiver's file, as the demo opens it from outside."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self) -> None:
        """Make the tables, if they aren't there."""
        with self._open() as database:
            database.executescript(_SQL["schema"])

    def count(self) -> int:
        """Return how many events were handled so far."""
        with self._open() as database:
            [(count,)] = database.execute(_SQL["count_handled"])
            return int(count)

    def handled(self) -> tuple[Told, ...]:
        """Return all events in the order in which they were handled."""
        with self._open() as database:
            return tuple(Told(*row) for row in database.execute(_SQL["all_handled"]))

    def live(self) -> frozenset[int]:
        """Return the rows that are in the sheet, by what was handled."""
        with self._open() as database:
            return frozenset(row for (row,) in database.execute(_SQL["all_live"]))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=30.0)) as database:
            yield database
