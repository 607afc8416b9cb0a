"""Fresh databases for each test, and the contract's own assertions made readable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.private_cluster import PrivateCluster
from tidings.ports import Clock
from tidings.storage.postgres import migrate_database
from tidings.storage.sqlite import SqliteStorage, migrate_file, open_sqlite
from tidings.testing.clock import ManualClock

from .postgres_setting import PostgresDatabase, hold_clock

pytest.register_assert_rewrite(
    *(
        f"tidings.testing.storage_{part}_contract"
        for part in (
            "account",
            "callback",
            "caps",
            "counts",
            "dispatch",
            "lifecycle",
            "log",
            "page",
            "retention",
            "roster",
            "webhook",
        )
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


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def storage(database: SqliteFile, clock: ManualClock) -> AsyncIterator[SqliteStorage]:
    storage = await database.open(clock)
    yield storage
    await storage.close()


@pytest.fixture(scope="session")
def held_postgres(cluster: PrivateCluster) -> PostgresDatabase:
    """One PostgreSQL database whose clock a HeldClock holds; each test cleans it first."""
    url = cluster.create_database()
    hold_clock(url)
    asyncio.run(migrate_database(url))
    return PostgresDatabase(url)


@pytest.fixture(scope="session")
def _own_postgres(cluster: PrivateCluster) -> PostgresDatabase:
    url = cluster.create_database()
    asyncio.run(migrate_database(url))
    return PostgresDatabase(url)


@pytest.fixture
def postgres(_own_postgres: PostgresDatabase) -> PostgresDatabase:
    """A PostgreSQL database with its own clock, emptied."""
    _own_postgres.clean()
    return _own_postgres
