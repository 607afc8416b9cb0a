"""What the database refuses, in its own words: tried again where that is safe, else said clearly.

The refusals are the database's: a trigger raises them, under their SQLSTATE, where the log is
written. After each of them nothing is half done, and the next append goes in.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.private_cluster import PrivateCluster
from tidings.clock import SystemClock
from tidings.domain.buckets import bucket_of
from tidings.errors import DatabaseCorrupted, StorageUnavailable, TidingsError
from tidings.storage.postgres import PostgresStorage, migrate_database, open_postgres
from tidings.testing.storage_samples import (
    ACCOUNT,
    SOLUTION,
    api_key,
    entry,
    page_query,
    publish,
    whole_log,
)

from .postgres_setting import PostgresDatabase

pytestmark = pytest.mark.anyio

CLOCK = SystemClock()
BUCKET = bucket_of(ACCOUNT, SOLUTION)

_REFUSE = """
CREATE SEQUENCE refused;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('refused') <= {times} THEN
        RAISE EXCEPTION 'planted' USING ERRCODE = '{state}';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refusing AFTER INSERT ON change_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse();
"""
_ACCEPT = b"DROP FUNCTION IF EXISTS refuse CASCADE; DROP SEQUENCE IF EXISTS refused;"


@pytest.fixture
async def storage(postgres: PostgresDatabase) -> AsyncIterator[PostgresStorage]:
    storage = await open_postgres(postgres.url, CLOCK, serve=True)
    yield storage
    await storage.close()


@contextmanager
def refusing(url: str, state: str, *, times: int) -> Iterator[None]:
    """Let the log refuse that often to be written; a sequence counts also what is undone."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_REFUSE.format(state=state, times=times).encode())
        try:
            yield
        finally:
            connection.execute(_ACCEPT)


async def names(storage: PostgresStorage) -> list[str]:
    return [name for _, name in await whole_log(storage.log, BUCKET)]


@pytest.mark.parametrize(
    "state",
    ["40001", "40P01", "55P03", "57P01"],
    ids=["serialization", "deadlock", "lock_timeout", "shutdown"],
)
async def test_what_was_undone_for_another_s_sake_is_done_again_unnoticed(
    storage: PostgresStorage, postgres: PostgresDatabase, state: str
) -> None:
    with refusing(postgres.url, state, times=2):
        receipts = await asyncio.gather(
            *(storage.log.append(publish(entry(f"{n}"), entry(f"{n} too"))) for n in range(3))
        )
        assert {receipt.accepted for receipt in receipts} == {2}
    assert await names(storage) == ["0", "0 too", "1", "1 too", "2", "2 too"]


@pytest.mark.parametrize(
    ("state", "error", "sentence"),
    [
        ("53100", StorageUnavailable, "disk is full"),
        ("53200", StorageUnavailable, "out of memory"),
        ("57014", StorageUnavailable, "took too long"),
        ("XX001", DatabaseCorrupted, "damaged"),
    ],
)
async def test_what_another_try_does_not_mend_is_said_and_leaves_nothing(
    storage: PostgresStorage,
    postgres: PostgresDatabase,
    state: str,
    error: type[TidingsError],
    sentence: str,
) -> None:
    refused = publish(entry("refused"), entry("refused too"), key="k")
    with refusing(postgres.url, state, times=1):
        with pytest.raises(error, match=sentence):
            await storage.log.append(refused)
        assert await names(storage) == []
        receipt = await storage.log.append(refused)
    assert await names(storage) == ["refused", "refused too"]
    assert receipt.accepted == 2


async def until_it_raises(storage: PostgresStorage) -> None:
    """Read, until somebody else has the only connection."""
    while True:
        await storage.log.read_page(page_query())


async def test_who_finds_no_free_connection_is_told_so_and_the_log_goes_on(
    postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.domain.limits.DATABASE_ACQUIRE_SECONDS", 0.2)
    storage = await open_postgres(postgres.url, CLOCK, serve=True, connections=1)
    try:
        with psycopg.connect(postgres.url) as holder:
            holder.execute("LOCK TABLE api_key IN ACCESS EXCLUSIVE MODE")
            held = asyncio.ensure_future(storage.keys.find(api_key(CLOCK).key_hash))
            with pytest.raises(StorageUnavailable, match="became free"):
                await until_it_raises(storage)
            assert (await storage.log.append(publish(entry()))).accepted == 1
        assert await held is None
    finally:
        await storage.close()


async def test_a_server_that_takes_no_more_connections_is_waited_for(
    postgres: PostgresDatabase, cluster: PrivateCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.domain.limits.DATABASE_RETRY_SECONDS", 0.2)
    database = postgres.url.rpartition("/")[2]
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        for statement in (
            "CREATE ROLE few LOGIN CONNECTION LIMIT 1",
            f"GRANT ALL ON DATABASE {database} TO few",
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO few",
        ):
            admin.execute(statement.encode())
        url = cluster.url(database).replace("tidings@", "few@")
        storage = await open_postgres(url, CLOCK, serve=False, connections=1)
        try:
            with pytest.raises(StorageUnavailable, match="no more connections"):
                await storage.log.append(publish(entry("refused")))
            admin.execute("ALTER ROLE few CONNECTION LIMIT 9")
            await storage.log.append(publish(entry("after")))
            assert await names(storage) == ["after"]
        finally:
            await storage.close()
            admin.execute("DROP OWNED BY few; DROP ROLE few")


async def test_a_server_that_crashes_under_load_and_comes_back_has_all_that_was_answered() -> None:
    with PrivateCluster() as own:
        url = own.create_database()
        await migrate_database(url)
        storage = await open_postgres(url, CLOCK, serve=True)
        answered: dict[str, int | None] = {}
        under_way = asyncio.Event()

        async def publish_many(platform: int) -> None:
            for number in range(30):
                name = f"{platform}.{number}"
                answered[name] = (await storage.log.append(publish(entry(name)))).first_position
                if len(answered) > 60:
                    under_way.set()

        try:
            platforms = [asyncio.ensure_future(publish_many(number)) for number in range(8)]
            await under_way.wait()
            own.kill()
            assert not any(platform.done() for platform in platforms)
            own.start()
            await asyncio.gather(*platforms)
            stored = await whole_log(storage.log, BUCKET)
            assert {name: position for position, name in stored} == answered
            assert len(stored) == len(answered) == 240
        finally:
            await storage.close()
