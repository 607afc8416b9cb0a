"""A URL that names several hosts: whichever of them is the primary is found (mechanics P6)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from tidings.clock import SystemClock
from tidings.errors import StorageUnavailable
from tidings.storage.postgres import open_postgres
from tidings.storage.postgres.connection import Database, commit
from tidings.storage.postgres.failures import PerhapsHereAlone
from tidings.storage.postgres.hosts import Hosts, sought, urls_by_host
from tidings.testing.storage_samples import entry, publish

from .postgres_setting import PostgresDatabase

pytestmark = pytest.mark.anyio


@pytest.fixture
def silent() -> Iterator[str]:
    """A host that takes connections and never says anything, as one that has lost its power."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def refusing() -> str:
    """A host on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as closing:
        return f"127.0.0.1:{closing.getsockname()[1]}"


def with_hosts_before(url: str, *hosts: str) -> str:
    parts = urlsplit(url)
    user, _, own = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}@{','.join([*hosts, own])}").geturl()


def test_a_url_is_taken_apart_by_its_hosts_alone() -> None:
    assert urls_by_host("postgresql://u:p%2C@h1:1,h2,[::1]:3/db?sslmode=require") == [
        "postgresql://u:p%2C@h1:1/db?sslmode=require",
        "postgresql://u:p%2C@h2/db?sslmode=require",
        "postgresql://u:p%2C@[::1]:3/db?sslmode=require",
    ]
    assert urls_by_host("postgresql:///db?host=/run/a,/run/b") == [
        "postgresql:///db?host=/run/a,/run/b"
    ]


def test_a_primary_is_sought_unless_the_url_says_otherwise() -> None:
    assert sought("postgresql://h/db") == "primary"
    assert sought("postgresql://h/db?target_session_attrs=read-write") is None


async def test_hosts_that_refuse_or_say_nothing_are_passed_over(
    postgres: PostgresDatabase, silent: str, refusing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.domain.limits.DATABASE_HOST_SECONDS", 0.2)
    url = with_hosts_before(postgres.url, refusing, silent)
    storage = await open_postgres(url, SystemClock(), serve=True)
    try:
        assert (await storage.log.append(publish(entry()))).accepted == 1
    finally:
        await storage.close()


async def test_the_host_that_answered_last_is_tried_first() -> None:
    tried: list[str] = []

    async def connect(url: str) -> str:
        tried.append(url)
        if url.endswith("h1"):
            raise ConnectionRefusedError
        return url

    hosts = Hosts("postgresql://h1,h2")
    for _ in range(2):
        await hosts.first(connect)
    assert tried == ["postgresql://h1", "postgresql://h2", "postgresql://h2"]


async def test_where_no_host_would_have_us_the_failure_that_tells_most_is_raised() -> None:
    failures: list[Exception] = [
        ConnectionRefusedError(),
        asyncpg.InvalidPasswordError("password failed"),
        TimeoutError(),
    ]

    async def connect(_: str) -> None:
        raise failures.pop(0)

    with pytest.raises(asyncpg.InvalidPasswordError):
        await Hosts("postgresql://h1,h2,h3").first(connect)
    assert failures == []


async def test_without_a_primary_the_storage_is_unavailable(postgres: PostgresDatabase) -> None:
    url = f"{postgres.url}?target_session_attrs=standby"
    with pytest.raises(StorageUnavailable, match="none of the database's hosts"):
        await open_postgres(url, SystemClock(), serve=True)


async def test_a_commit_that_the_database_warns_of_is_in_doubt(postgres: PostgresDatabase) -> None:
    """As where an operator cancels it while it waits for a standby: it says success all the same.

    Here a deferred trigger warns in its stead, under the same SQLSTATE.
    """
    database = Database(postgres.url, connections=1, statement_seconds=5)
    try:
        connection = await database.connect()
        await connection.execute(
            "CREATE TEMP TABLE noted (n int);"
            "CREATE FUNCTION pg_temp.warn() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE WARNING 'canceling wait'; RETURN NULL; END $$;"
            "CREATE CONSTRAINT TRIGGER warned AFTER INSERT ON noted INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION pg_temp.warn()"
        )
        await connection.execute("BEGIN; INSERT INTO noted VALUES (1)")
        with pytest.raises(PerhapsHereAlone):
            await commit(connection)
        await connection.execute("BEGIN")
        await commit(connection)
        await connection.close()
    finally:
        await database.close()
