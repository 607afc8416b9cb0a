"""What PostgreSQL and the wire to it may do: each is a clear error, or nobody notices (L4, G2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import psycopg
import pytest

from tidings.clock import SystemClock
from tidings.domain.buckets import bucket_of
from tidings.errors import (
    DatabaseCorrupted,
    InvalidArgument,
    SchemaAhead,
    SchemaBehind,
    StorageFault,
    StorageUnavailable,
)
from tidings.storage.postgres import (
    PostgresStorage,
    migrate_database,
    open_postgres,
    schema_state_of_database,
)
from tidings.storage.postgres.failures import translated
from tidings.testing.storage_samples import (
    ACCOUNT,
    SOLUTION,
    api_key,
    entry,
    page_query,
    publish,
    webhook,
    whole_log,
)

from .cut_wires import CutWire
from .postgres_setting import PostgresDatabase

pytestmark = pytest.mark.anyio

BUCKET = bucket_of(ACCOUNT, SOLUTION)
CLOCK = SystemClock()
COMMIT = b"COMMIT\0"
"""As it goes over the wire."""


@pytest.fixture
async def wire(postgres: PostgresDatabase) -> AsyncIterator[CutWire]:
    async with CutWire(postgres.url) as wire:
        yield wire


@pytest.fixture
async def storage(wire: CutWire) -> AsyncIterator[PostgresStorage]:
    storage = await open_postgres(wire.url, CLOCK, serve=True, statement_seconds=1)
    yield storage
    await storage.close()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up soon: the tests wait for it."""
    monkeypatch.setattr("tidings.domain.limits.DATABASE_RETRY_SECONDS", 0.1)


@pytest.mark.parametrize("ours", [True, False], ids=["our own key", "a client's key"])
async def test_a_commit_whose_answer_was_lost_is_settled_by_its_key(
    storage: PostgresStorage, wire: CutWire, *, ours: bool
) -> None:
    """A key that we made ourselves isn't looked for at first; after that it is."""
    await storage.log.append(publish(entry("before")))
    wire.cut_answer_to(COMMIT)
    receipts = await asyncio.gather(
        *(storage.log.append(publish(entry(f"e{n}"), key_is_new=ours)) for n in range(9))
    )
    assert wire.cuts == 1
    log = await whole_log(storage.log, BUCKET)
    assert [name for _, name in log] == ["before", *(f"e{n}" for n in range(9))]
    assert [receipt.first_position for receipt in receipts] == [position for position, _ in log[1:]]


async def test_a_connection_lost_in_the_midst_of_a_group_loses_and_doubles_nothing(
    storage: PostgresStorage, wire: CutWire
) -> None:
    for words in (b"BEGIN", b"COPY", COMMIT):
        wire.cut_answer_to(words)
        await asyncio.gather(*(storage.log.append(publish(entry())) for _ in range(12)))
    log = await whole_log(storage.log, BUCKET)
    assert len({name for _, name in log}) == 1
    assert len(log) == 36
    assert wire.cuts == 3


async def test_a_webhook_whose_commit_is_in_doubt_is_not_created_twice(
    storage: PostgresStorage, wire: CutWire
) -> None:
    await storage.log.append(publish(entry("connected")))
    wire.cut_answer_to(COMMIT)
    with pytest.raises(StorageUnavailable):
        await storage.webhooks.create(webhook(CLOCK), start_at=None)
    listed = await storage.webhooks.list_of_account(ACCOUNT, solution=None, after=0, limit=9)
    assert len(listed) == 1


async def test_a_database_that_is_away_is_unavailable_and_then_used_again(
    storage: PostgresStorage, wire: CutWire, soon: None
) -> None:
    await storage.log.append(publish(entry("before"), key="k"))
    await wire.sever()
    for refused in (
        storage.log.append(publish(entry("away"), key="away")),
        storage.log.read_page(page_query()),
        storage.keys.find(api_key(CLOCK).key_hash),
        storage.dispatch.take([1], "me", 10),
        storage.webhooks.create(webhook(CLOCK), start_at=None),
        storage.retention.drop_entries(),
        storage.probe(),
    ):
        with pytest.raises(StorageUnavailable):
            await refused
    await wire.mend()
    await storage.probe()
    await storage.log.append(publish(entry("away"), key="away"))
    assert [name for _, name in await whole_log(storage.log, BUCKET)] == ["before", "away"]


async def test_who_waits_through_a_short_absence_hears_nothing_of_it(
    storage: PostgresStorage, wire: CutWire
) -> None:
    await storage.log.append(publish(entry("before")))
    await wire.sever()
    waiting = [asyncio.ensure_future(storage.log.append(publish(entry()))) for _ in range(20)]
    assert await asyncio.wait(waiting, timeout=0.05) == (set(), set(waiting))
    await wire.mend()
    assert [receipt.accepted for receipt in await asyncio.gather(*waiting)] == [1] * 20
    assert len(await whole_log(storage.log, BUCKET)) == 21


async def test_a_connection_that_the_database_ended_is_replaced(
    storage: PostgresStorage, postgres: PostgresDatabase
) -> None:
    key = api_key(CLOCK)
    await storage.keys.create(key)
    await storage.log.append(publish(entry()))
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'tidings' AND datname = current_database()"
        )
    assert await storage.keys.find(key.key_hash) == key
    assert (await storage.log.append(publish(entry()))).accepted == 1


async def test_a_statement_that_takes_too_long_is_broken_off(
    storage: PostgresStorage, postgres: PostgresDatabase
) -> None:
    with psycopg.connect(postgres.url) as holder:
        holder.execute("LOCK TABLE application IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StorageUnavailable, match="too long"):
            await storage.applications.solution_of("a", "b")
    assert await storage.applications.solution_of("a", "b") is None


async def test_a_server_that_takes_no_writes_is_unavailable_for_them_alone(
    storage: PostgresStorage, postgres: PostgresDatabase, soon: None
) -> None:
    await storage.log.append(publish(entry("before")))
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        alter = b"ALTER DATABASE " + connection.info.dbname.encode()
        connection.execute(alter + b" SET default_transaction_read_only = on")
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'tidings' AND datname = current_database()"
            )
            with pytest.raises(StorageUnavailable, match="standby"):
                await storage.log.append(publish(entry("refused")))
            assert len((await storage.log.read_page(page_query())).entries) == 1
        finally:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(alter + b" RESET default_transaction_read_only")
    await storage.log.append(publish(entry("after")))


async def test_a_process_that_stopped_inside_a_transaction_lets_its_heads_go(
    postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.domain.limits.IDLE_IN_TRANSACTION_SECONDS", 0.2)
    stopped = await open_postgres(postgres.url, CLOCK, serve=True)
    going_on = await open_postgres(postgres.url, CLOCK, serve=True)
    try:
        appender = stopped.log._lanes.appender()  # type: ignore[attr-defined]
        transaction = await appender.begun({BUCKET})
        receipt = await going_on.log.append(publish(entry()))
        assert receipt.accepted == 1
        assert transaction.last(BUCKET) == 0
    finally:
        await stopped.close()
        await going_on.close()


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (asyncpg.DiskFullError("no space left on device"), StorageUnavailable),
        (asyncpg.OutOfMemoryError("out of memory"), StorageUnavailable),
        (asyncpg.TooManyConnectionsError("sorry, too many clients"), StorageUnavailable),
        (asyncpg.SerializationError("could not serialize"), StorageUnavailable),
        (asyncpg.DeadlockDetectedError("deadlock detected"), StorageUnavailable),
        (asyncpg.AdminShutdownError("terminating"), StorageUnavailable),
        (asyncpg.CannotConnectNowError("starting up"), StorageUnavailable),
        (asyncpg.ReadOnlySQLTransactionError("read-only"), StorageUnavailable),
        (asyncpg.InterfaceError("connection is closed"), StorageUnavailable),
        (TimeoutError(), StorageUnavailable),
        (ConnectionResetError(), StorageUnavailable),
        (asyncpg.InvalidPasswordError("password failed"), StorageFault),
        (asyncpg.InvalidCatalogNameError("database doesn't exist"), StorageFault),
        (asyncpg.UndefinedTableError("no such table"), StorageFault),
        (asyncpg.DataCorruptedError("invalid page"), DatabaseCorrupted),
        (asyncpg.NotNullViolationError("null\nDETAIL: the row"), InvalidArgument),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_foreign_error_is_one_of_ours(error: Exception, ours: type[Exception]) -> None:
    mine = translated(error)
    assert type(mine) is ours
    assert "DETAIL" not in str(mine)


def test_a_bug_stays_what_it_is() -> None:
    bug = ZeroDivisionError()
    assert translated(bug) is bug


async def test_a_database_that_does_not_exist_is_the_operator_s_to_mend() -> None:
    with pytest.raises((StorageFault, StorageUnavailable)):
        await open_postgres("postgresql://nobody@127.0.0.1:1/none", CLOCK, serve=True)


async def test_the_schema_is_raised_once_however_many_try(postgres_url: str) -> None:
    assert (await schema_state_of_database(postgres_url)).found == 0
    with pytest.raises(SchemaBehind):
        await open_postgres(postgres_url, CLOCK, serve=True)
    states = await asyncio.gather(*(migrate_database(postgres_url) for _ in range(3)))
    state = await schema_state_of_database(postgres_url)
    assert state.found == state.needed
    # Whoever looks later may find some of the migrations that another has made by then.
    found = sorted(one.found for one in states)
    assert found[0] == 0
    assert found[-1] <= state.needed
    storage = await open_postgres(postgres_url, CLOCK, serve=True)
    assert (await storage.log.append(publish(entry()))).accepted == 1
    await storage.close()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("UPDATE tidings_schema SET version = version + 1")
    for refused in (migrate_database(postgres_url), open_postgres(postgres_url, CLOCK, serve=True)):
        with pytest.raises(SchemaAhead):
            await refused


async def test_another_program_s_database_is_left_as_it_is(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE theirs (n int)")
    with pytest.raises(DatabaseCorrupted, match="another program"):
        await migrate_database(postgres_url)
