"""The schema of the database at a URL: which version it has, and how it gets this code's."""

from __future__ import annotations

from tidings.ports import SchemaState
from tidings.storage.open import is_postgres, postgres, sqlite_path
from tidings.storage.sqlite import migrate_file, schema_state_of_file


async def schema_state(url: str) -> SchemaState:
    """Return the schema's state; a database that isn't there yet is at 0 and is not made.

    Raises ConfigurationError, DatabaseCorrupted, StorageUnavailable.
    """
    if is_postgres(url):
        state: SchemaState = await postgres().schema_state_of_database(url)
        return state
    return schema_state_of_file(sqlite_path(url))


async def migrate(url: str) -> SchemaState:
    """Raise the schema to this code's; return the state that was found before.

    On SQLite it takes the server's lock if there is anything to do: DatabaseInUse while a server
    runs. On PostgreSQL one migration runs at a time, whoever else tries. Raises also SchemaAhead,
    DatabaseCorrupted, StorageUnavailable, ConfigurationError.
    """
    if is_postgres(url):
        state: SchemaState = await postgres().migrate_database(url)
        return state
    return migrate_file(sqlite_path(url))


async def migrate_own(url: str) -> None:
    """Do what a server does by itself: raise a SQLite file's schema (contract 3.3).

    A PostgreSQL database may serve other processes, of other versions: only `tidings migrate`
    raises its schema. Raises what `migrate` raises.
    """
    if not is_postgres(url):
        migrate_file(sqlite_path(url))
