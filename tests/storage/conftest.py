"""A fresh SQLite file for each test, and the contract's own assertions made readable."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidings.ports import Clock
from tidings.storage.sqlite import SqliteStorage, migrate_file, open_sqlite

pytest.register_assert_rewrite(
    *(
        f"tidings.testing.storage_{part}_contract"
        for part in ("account", "dispatch", "log", "page", "webhook")
    )
)


class SqliteFile:
    """A migrated file in the test's own folder, as the contract's `Database`."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        migrate_file(self.path)

    async def open(self, clock: Clock, *, serve: bool = True) -> SqliteStorage:
        return await open_sqlite(self.path, clock, serve=serve)


@pytest.fixture
def database(tmp_path: Path) -> SqliteFile:
    return SqliteFile(tmp_path / "tidings.db")
