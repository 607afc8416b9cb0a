"""The storage contract, held by PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.private_cluster import PrivateCluster
from tidings.storage.postgres import migrate_database
from tidings.testing.storage_contract import StorageContract

from .postgres_setting import HeldClock, PostgresDatabase, hold_clock


@pytest.fixture(scope="module")
async def held(cluster: PrivateCluster) -> PostgresDatabase:
    url = cluster.create_database()
    hold_clock(url)
    await migrate_database(url)
    return PostgresDatabase(url)


class TestPostgres(StorageContract):
    """On one database, whose clock the tests hold."""

    @pytest.fixture
    def database(self, held: PostgresDatabase) -> PostgresDatabase:
        held.clean()
        return held

    @pytest.fixture
    def clock(self, database: PostgresDatabase) -> Iterator[HeldClock]:
        clock = HeldClock(database.url)
        yield clock
        clock.close()
