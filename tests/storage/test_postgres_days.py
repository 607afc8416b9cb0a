"""Days come and go beside readers and writers (mechanics G1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from tidings.domain.buckets import bucket_of
from tidings.errors import StorageUnavailable
from tidings.storage.postgres import PostgresStorage
from tidings.storage.postgres.days import DAILY_TABLES
from tidings.testing.storage_samples import (
    ACCOUNT,
    SOLUTION,
    attempt,
    entry,
    publish,
    webhook,
    whole_log,
)

from .postgres_setting import HeldClock, PostgresDatabase

pytestmark = pytest.mark.anyio

BUCKET = bucket_of(ACCOUNT, SOLUTION)
DAY_SECONDS = 86_400
PARTITIONS = (
    "SELECT day.relname FROM pg_inherits JOIN pg_class AS day ON day.oid = inhrelid "
    "WHERE inhparent = %s::regclass AND day.relkind = 'r' ORDER BY 1"
)
_WITHOUT_CONCURRENTLY = """
CREATE FUNCTION its_row.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_query() LIKE '%CONCURRENTLY' THEN
        RAISE EXCEPTION 'not on distributed tables' USING ERRCODE = 'feature_not_supported';
    END IF;
END $$;
CREATE EVENT TRIGGER citus_like ON ddl_command_start WHEN TAG IN ('ALTER TABLE')
    EXECUTE FUNCTION its_row.refuse();
"""


@pytest.fixture
def database(held_postgres: PostgresDatabase) -> PostgresDatabase:
    held_postgres.clean()
    return held_postgres


@pytest.fixture
def clock(database: PostgresDatabase) -> Iterator[HeldClock]:
    clock = HeldClock(database.url)
    yield clock
    clock.close()


@pytest.fixture
async def storage(database: PostgresDatabase, clock: HeldClock) -> AsyncIterator[PostgresStorage]:
    storage = await database.open(clock)
    yield storage
    await storage.close()


def days_of(database: PostgresDatabase, table: str) -> list[str]:
    """Return the days that a table has partitions for."""
    with psycopg.connect(database.url) as connection:
        rows = connection.execute(PARTITIONS, [table]).fetchall()
    return [row[0].rpartition("_")[2] for row in rows]


async def test_days_are_attached_four_ahead_and_again_when_one_has_passed(
    database: PostgresDatabase, storage: PostgresStorage, clock: HeldClock
) -> None:
    for table in DAILY_TABLES:
        ahead = ["20260115", "20260116", "20260117", "20260118", "20260119"]
        assert set(ahead) <= set(days_of(database, table.name))
    await clock.advance(40 * DAY_SECONDS)
    await storage.retention.prepare_days()
    for table in DAILY_TABLES:
        assert {"20260224", "20260228"} <= set(days_of(database, table.name))


async def test_there_is_never_a_default_partition(
    database: PostgresDatabase, storage: PostgresStorage
) -> None:
    with psycopg.connect(database.url) as connection:
        defaults = connection.execute("SELECT partdefid FROM pg_partitioned_table").fetchall()
    assert len(defaults) >= len(DAILY_TABLES)
    assert {row[0] for row in defaults} == {0}


async def test_a_day_that_nobody_attached_is_attached_by_who_needs_it(
    storage: PostgresStorage, clock: HeldClock
) -> None:
    hook = await storage.webhooks.create(webhook(clock), start_at=None)
    await clock.advance(100 * DAY_SECONDS)
    await asyncio.gather(*(storage.log.append(publish(entry(f"e{n}"))) for n in range(20)))
    await storage.dispatch.add_attempts([attempt(hook, clock.now())])
    assert len(await whole_log(storage.log, BUCKET)) == 21
    assert len(await storage.dispatch.attempts_of(hook.bucket, hook.webhook_id, 9)) == 1


async def test_readiness_says_when_the_coming_days_are_missing(
    storage: PostgresStorage, clock: HeldClock
) -> None:
    await storage.probe()
    await clock.advance(200 * DAY_SECONDS)
    with pytest.raises(StorageUnavailable, match="days ahead"):
        await storage.probe()
    await storage.retention.prepare_days()
    await storage.probe()


async def test_publishing_goes_on_while_days_come_and_go_beside_an_open_reader(
    database: PostgresDatabase, storage: PostgresStorage, clock: HeldClock
) -> None:
    """A reader of 5 s stopped every publish for 4 s where days were made and dropped plainly."""
    await storage.log.append(publish(entry("old")))
    await clock.advance(3 * DAY_SECONDS)
    await storage.log.append(publish(entry("kept")))
    await storage.retention.raise_floor(clock.now())
    waits: list[float] = []
    ended = asyncio.Event()

    async def publishing() -> None:
        loop = asyncio.get_running_loop()
        while not ended.is_set():
            begun = loop.time()
            await storage.log.append(publish(entry("meanwhile")))
            waits.append(loop.time() - begun)

    with psycopg.connect(database.url) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM change_log")
        task = asyncio.ensure_future(publishing())
        for _ in range(2):  # the second finds a detach that was begun and not ended
            with pytest.raises(StorageUnavailable):
                await storage.retention.drop_entries()
        await clock.advance(DAY_SECONDS)
        await storage.retention.prepare_days()
        ended.set()
        await task
        assert max(waits) < 1.0
        reader.rollback()
    assert "20260115" in days_of(database, "change_log")
    while await storage.retention.drop_entries():
        pass
    assert "20260115" not in days_of(database, "change_log")
    names = [name for _, name in await whole_log(storage.log, BUCKET)]
    assert "old" not in names
    assert len(names) >= len(waits)


async def test_a_day_that_was_detached_and_not_dropped_is_dropped_later(
    database: PostgresDatabase, storage: PostgresStorage, clock: HeldClock
) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE change_log_20200101 (LIKE change_log INCLUDING ALL)")
        connection.execute("CREATE TABLE change_log_elsewhere (n int)")
    await storage.retention.raise_floor(clock.now())
    while await storage.retention.drop_entries():
        pass
    with psycopg.connect(database.url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT to_regclass('change_log_20200101'), to_regclass('change_log_elsewhere')::text"
        ).fetchone()
        connection.execute("DROP TABLE change_log_elsewhere")
    assert found == (None, "change_log_elsewhere")


async def test_two_processes_may_attach_the_same_days_at_once(
    database: PostgresDatabase, storage: PostgresStorage, clock: HeldClock
) -> None:
    other = await database.open(clock, serve=False)
    await clock.advance(300 * DAY_SECONDS)
    try:
        await asyncio.gather(
            *(one.retention.prepare_days() for one in (storage, other, storage, other))
        )
    finally:
        await other.close()
    assert "20261115" in days_of(database, "change_log")


async def test_where_days_cannot_be_detached_beside_readers_they_are_in_a_moment_without(
    database: PostgresDatabase, storage: PostgresStorage, clock: HeldClock
) -> None:
    """As on Citus, in whose stead an event trigger refuses here."""
    await clock.advance(100 * DAY_SECONDS)
    await storage.retention.prepare_days()
    await clock.advance(20 * DAY_SECONDS)
    await storage.retention.raise_floor(clock.now())
    with (
        psycopg.connect(database.url, autocommit=True) as admin,
        psycopg.connect(database.url) as reader,
    ):
        admin.execute(_WITHOUT_CONCURRENTLY)
        try:
            reader.execute("SELECT 1 FROM change_log LIMIT 1")
            before = days_of(database, "change_log")
            with pytest.raises(StorageUnavailable):
                await storage.retention.drop_entries()
            assert days_of(database, "change_log") == before
            reader.rollback()
            while await storage.retention.drop_entries():
                pass
        finally:
            admin.execute("DROP EVENT TRIGGER citus_like; DROP FUNCTION its_row.refuse()")
    assert set(before) - set(days_of(database, "change_log"))
