"""The schema's version in the database, and the numbered migrations that raise it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from importlib.resources import files

import asyncpg

from tidings.domain import limits
from tidings.errors import DatabaseCorrupted, SchemaAhead, SchemaBehind
from tidings.ports import SchemaState
from tidings.storage.postgres.connection import Connection, Database
from tidings.storage.postgres.days import Days
from tidings.storage.postgres.failures import ours
from tidings.storage.postgres.queries import load_queries

_SQL = load_queries("schema")
_BEGIN = load_queries("transactions")["begin_write"]
_COMMIT = load_queries("transactions")["commit"]


@lru_cache(maxsize=1)
def _migrations() -> Sequence[str]:
    """Return the migrations in order; the n-th (from 1) raises the version to n."""
    found = sorted(
        (file.name, file.read_text(encoding="utf-8"))
        for file in (files("tidings.storage.postgres") / "migrations").iterdir()
        if file.name.endswith(".sql")
    )
    for number, (name, _) in enumerate(found, start=1):
        if int(name.split("_")[0]) != number:
            raise RuntimeError(f"migration {name} is not number {number}")
    return [text for _, text in found]


async def schema_state_of_database(url: str) -> SchemaState:
    """Return the schema's state. Raises DatabaseCorrupted for another program's database."""
    async with _database(url) as database, _connected(database) as connection:
        return await state_of(connection)


async def migrate_database(url: str) -> SchemaState:
    """Raise a database's schema to this code's, each migration in a transaction of its own.

    Returns what was found before; an up-to-date one isn't even locked. Days are attached when they
    are missing, so that the log can be written at once. Raises SchemaAhead, DatabaseCorrupted,
    StorageUnavailable, StorageFault.
    """
    async with _database(url) as database:
        async with _connected(database) as connection:
            before = await state_of(connection)
            if before.found > before.needed:
                raise _ahead(before)
            if before.found < before.needed:
                await _raise_version(connection)
        await Days(database).prepare()
    return before


async def state_of(connection: Connection) -> SchemaState:
    """Return the version found and needed. Raises DatabaseCorrupted for another's database."""
    there = await connection.fetchrow(_SQL["find_version"])
    found = await connection.fetchval(_SQL["read_version"]) if there["ours"] else None
    if found is None and there["tables"] and not there["ours"]:
        raise DatabaseCorrupted(
            "this database holds another program's tables; nothing was changed. Give Tidings a "
            "database, or a schema on its user's search_path, of its own"
        )
    return SchemaState(found=found or 0, needed=len(_migrations()))


def check_current(state: SchemaState) -> None:
    """Return if the schema is the one this code needs; SchemaBehind or SchemaAhead otherwise."""
    if state.found < state.needed:
        raise SchemaBehind(
            f"the database has schema {state.found}, not {state.needed}: run tidings migrate"
        )
    if state.found > state.needed:
        raise _ahead(state)


async def _raise_version(connection: Connection) -> None:
    with contextlib.suppress(asyncpg.UniqueViolationError, asyncpg.DuplicateTableError):
        await connection.execute(_SQL["create_version"])  # another may do the same at this moment
    await connection.execute(_SQL["first_version"])
    done = False
    while not done:
        async with _transaction(connection):
            version: int = await connection.fetchval(_SQL["lock_version"])
            if done := version >= len(_migrations()):
                continue
            await connection.execute(_migrations()[version])
            await connection.execute(_SQL["keep_version"], version + 1)


@asynccontextmanager
async def _transaction(connection: Connection) -> AsyncIterator[None]:
    """Let the block run in one transaction; where it raises, its connection is closed after it."""
    await connection.execute(_BEGIN)
    yield
    await connection.execute(_COMMIT)


@asynccontextmanager
async def _database(url: str) -> AsyncIterator[Database]:
    database = Database(url, connections=1, statement_seconds=limits.MIGRATION_SECONDS)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _connected(database: Database) -> AsyncIterator[Connection]:
    with ours():
        connection = await database.connect()
        try:
            yield connection
        finally:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close()


def _ahead(state: SchemaState) -> SchemaAhead:
    return SchemaAhead(
        f"the database has schema {state.found}, made by a newer Tidings; this one knows "
        f"{state.needed}"
    )
