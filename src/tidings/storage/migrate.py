"""The schema of the database at a URL: which version it has, and how it gets this code's."""

from __future__ import annotations

from tidings.ports import SchemaState
from tidings.storage.open import sqlite_path
from tidings.storage.sqlite import migrate_file, schema_state_of_file


async def schema_state(url: str) -> SchemaState:
    """Return the schema's state; a database that isn't there yet is at 0 and is not made.

    Raises ConfigurationError, DatabaseCorrupted, StorageUnavailable.
    """
    return schema_state_of_file(sqlite_path(url))


async def migrate(url: str) -> SchemaState:
    """Raise the schema to this code's; return the state that was found before.

    Takes the server's lock if there is anything to do: DatabaseInUse while a server runs. Raises
    also SchemaAhead, DatabaseCorrupted, StorageUnavailable, ConfigurationError.
    """
    return migrate_file(sqlite_path(url))
