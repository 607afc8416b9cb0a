"""A PostgreSQL of the tests' own: started for them, reached on this machine only, gone afterwards.

`cluster` is one server a session, `postgres_url` a fresh database a test. Where no PostgreSQL is
found both skip, with the reason in a sentence. A test that stops or kills a server, or needs other
settings, makes a `PrivateCluster` for itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from tidings.demo.private_postgres import NoPostgreSQL, PrivatePostgres


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

    def create_database(self) -> str:
        """Create an empty database and return its URL."""
        self._databases += 1
        name = f"fresh_{self._databases}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
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
