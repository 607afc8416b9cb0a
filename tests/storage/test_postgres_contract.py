"""The storage contract, held by PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tidings.testing.storage_contract import StorageContract

from .postgres_setting import HeldClock, PostgresDatabase


class TestPostgres(StorageContract):
    """On one database, whose clock the tests hold."""

    @pytest.fixture
    def database(self, held_postgres: PostgresDatabase) -> PostgresDatabase:
        held_postgres.clean()
        return held_postgres

    @pytest.fixture
    def clock(self, database: PostgresDatabase) -> Iterator[HeldClock]:
        clock = HeldClock(database.url)
        yield clock
        clock.close()
