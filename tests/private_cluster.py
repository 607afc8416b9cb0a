"""A PostgreSQL of the tests' own: started for them, reached on this machine only, gone afterwards.

`cluster` is one server a session, `postgres_url` a fresh database a test. Where no PostgreSQL is
found both skip, with the reason in a sentence. A test that stops or kills a server, or needs other
settings, makes a `PrivateCluster` for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from tidings.demo.private_postgres import NoPostgreSQL, PrivatePostgres
from tidings.storage.migrate import migrate

_EMPTY, _MIGRATED = "template1", "migrated"


class PrivateCluster(PrivatePostgres):
    """A private server with any number of fresh databases."""

    def __init__(
        self,
        *,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
        binaries: Path | None = None,
    ) -> None:
        super().__init__(durable=durable, settings=settings, binaries=binaries)
        self._databases = 0
        self._has_migrated = False

    def create_database(self) -> str:
        """Create an empty database and return its URL."""
        return self._create_fresh(_EMPTY)

    def create_migrated_database(self) -> str:
        """Create a database with the schema and return its URL: a copy of one, which costs less."""
        if not self._has_migrated:
            asyncio.run(migrate(self._create(_MIGRATED, _EMPTY)))
            self._has_migrated = True
        return self._create_fresh(_MIGRATED)

    def _create_fresh(self, template: str) -> str:
        self._databases += 1
        return self._create(f"fresh_{self._databases}", template)

    def _create(self, name: str, template: str) -> str:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return self.url(name)


@pytest.fixture(scope="session")
def cluster() -> Iterator[PrivateCluster]:
    """One server for all tests of this run that want one."""
    with contextlib.ExitStack() as stack:
        try:
            running = stack.enter_context(PrivateCluster())
        except NoPostgreSQL as error:
            pytest.skip(str(error))
        yield running


@pytest.fixture
def postgres_url(cluster: PrivateCluster) -> str:
    """Return the URL of a fresh database."""
    return cluster.create_database()
