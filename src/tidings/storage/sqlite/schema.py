"""The schema's version in the file, and the numbered migrations that raise it."""

from __future__ import annotations

import contextlib
import os
import os.path
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import apsw

from tidings.errors import DatabaseCorrupted, SchemaAhead, SchemaBehind
from tidings.ports import SchemaState
from tidings.storage.sqlite.connection import connect_writer
from tidings.storage.sqlite.failures import ours
from tidings.storage.sqlite.server_lock import ServerLock

APPLICATION_ID = 0x54494447
"""`TIDG` in the file's header: tells our database from another program's."""


@lru_cache(maxsize=1)
def _migrations() -> Sequence[str]:
    """Return the migrations in order; the n-th (from 1) raises the version to n."""
    found = sorted(
        (file.name, file.read_text(encoding="utf-8"))
        for file in (files(__package__) / "migrations").iterdir()
        if file.name.endswith(".sql")
    )
    for number, (name, _) in enumerate(found, start=1):
        if int(name.split("_")[0]) != number:
            raise RuntimeError(f"migration {name} is not number {number}")
    return [text for _, text in found]


def state_of(connection: apsw.Connection, path: str) -> SchemaState:
    """Return the version found and needed. Raises DatabaseCorrupted for another's database."""
    found = int(connection.pragma("user_version"))
    if connection.pragma("application_id") != APPLICATION_ID:
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
        if tables or found:
            raise DatabaseCorrupted(f"{path} is another program's database; nothing was changed")
    return SchemaState(found=found, needed=len(_migrations()))


def schema_state_of_file(path: str) -> SchemaState:
    """Return the schema's state of a file, without making one that isn't there."""
    with ours(path):
        if not Path(path).exists():
            return SchemaState(found=0, needed=len(_migrations()))
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            return state_of(connection, path)
        finally:
            connection.close()


def check_current(state: SchemaState, path: str) -> None:
    """Return if the schema is the one this code needs; SchemaBehind or SchemaAhead otherwise."""
    if state.found < state.needed:
        raise SchemaBehind(
            f"{path} has schema {state.found}, not {state.needed}: run tidings migrate"
        )
    if state.found > state.needed:
        raise _ahead(path, state)


def migrate_file(path: str) -> SchemaState:
    """Raise a file's schema to this code's, under the server's lock; make the file if need be.

    Returns what was found before. An up-to-date file is not even locked. Raises DatabaseInUse,
    SchemaAhead, DatabaseCorrupted, StorageUnavailable, ConfigurationError.
    """
    path = os.path.realpath(path)
    state = schema_state_of_file(path)
    if state.found > state.needed:
        raise _ahead(path, state)
    if state.found == state.needed:
        return state
    lock = ServerLock(path)
    try:
        with ours(path):
            _make_private(path)
            connection = connect_writer(path)
            try:
                _raise_version(connection, state_of(connection, path))
            finally:
                connection.close()
    finally:
        lock.release()
    return state


def _make_private(path: str) -> None:
    """Make a file that isn't there readable by its owner alone: it will hold signing secrets.

    SQLite gives the files beside it the same rights.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _raise_version(connection: apsw.Connection, state: SchemaState) -> None:
    for number in range(state.found + 1, state.needed + 1):
        with connection:
            connection.execute(_migrations()[number - 1])
            connection.pragma("user_version", number)
            connection.pragma("application_id", APPLICATION_ID)


def _ahead(path: str, state: SchemaState) -> SchemaAhead:
    return SchemaAhead(
        f"{path} has schema {state.found}, made by a newer Tidings; this one knows {state.needed}"
    )
