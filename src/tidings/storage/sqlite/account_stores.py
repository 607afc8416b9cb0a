"""What belongs to an account and to no bucket: keys and applications (contract 3.1, 3.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

import apsw

from tidings.domain.caps import Caps
from tidings.domain.instants import to_milliseconds
from tidings.domain.key import ApiKey
from tidings.errors import AlreadyExists
from tidings.storage.rows.accounts import key_row, read_key
from tidings.storage.sqlite.kept import check_applications
from tidings.storage.sqlite.queries import load_queries
from tidings.storage.sqlite.readers import Readers
from tidings.storage.sqlite.sheet_scope import let_sheet_be_there
from tidings.storage.sqlite.transaction import Transaction
from tidings.storage.sqlite.writer import Writer

_SQL = load_queries("accounts")


class SqliteKeyStore:
    """ports.KeyStore on one file."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers
        self._found: dict[bytes, ApiKey | None] = {}
        """What was looked up in this turn of the event loop."""

    async def create(self, key: ApiKey) -> None:
        """Store a key. Raises AlreadyExists if the account has a living key of this name."""
        await self._writer.run(partial(_create_key, key=key))

    async def find(self, key_hash: bytes) -> ApiKey | None:
        """Return the living key with this hash: read anew in each turn of the event loop, so that
        a revocation by another process is heeded at once.

        The requests of one turn share one look: they had all come in before it.
        """
        if not self._found:
            asyncio.get_running_loop().call_soon(self._found.clear)
        if key_hash not in self._found:
            self._found[key_hash] = self._readers.at_once(_find_key, key_hash)
        return self._found[key_hash]

    async def list(self, account: str | None) -> Sequence[ApiKey]:
        """Return keys, also revoked ones, of one account or of all, oldest first."""
        return self._readers.at_once(_list_keys, account)

    async def revoke(self, key_id: str, now: datetime) -> bool:
        """Revoke a key; False if there is no living one of this id."""
        return await self._writer.run(partial(_revoke_key, key_id=key_id, now=now))

    async def touch(self, used_at: Mapping[str, datetime]) -> None:
        """Store when keys were last used (key_id → instant)."""
        rows = [(to_milliseconds(instant), key_id) for key_id, instant in used_at.items()]
        await self._writer.run(partial(_touch_keys, rows=rows))


class SqliteApplicationStore:
    """ports.ApplicationStore on one file."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def solution_of(self, account: str, application: str) -> str | None:
        """Return the solution that an application belongs to; None where it isn't known."""
        return self._readers.at_once(_solution_of, account, application)

    async def register(
        self,
        account: str,
        solution: str,
        application: str,
        name: str | None,
        *,
        caps: Caps | None = None,
    ) -> None:
        """Register an application (ports.ApplicationStore.register)."""
        row = (account, application, solution, name)
        await self._writer.run(partial(_register, row=row, caps=caps))


def _create_key(transaction: Transaction, *, key: ApiKey) -> None:
    connection = transaction.connection
    if connection.execute(_SQL["living_name"], (key.account, key.name)).fetchone():
        raise AlreadyExists(f"account {key.account} has a key named {key.name}")
    connection.execute(_SQL["insert_key"], key_row(key))


def _find_key(connection: apsw.Connection, key_hash: bytes) -> ApiKey | None:
    row = connection.execute(_SQL["find_key"], (key_hash,)).fetchone()
    return None if row is None else read_key(*row)


def _list_keys(connection: apsw.Connection, account: str | None) -> list[ApiKey]:
    return [read_key(*row) for row in connection.execute(_SQL["list_keys"], (account,))]


def _revoke_key(transaction: Transaction, *, key_id: str, now: datetime) -> bool:
    transaction.connection.execute(_SQL["revoke_key"], (to_milliseconds(now), key_id))
    return transaction.connection.changes() > 0


def _touch_keys(transaction: Transaction, *, rows: Sequence[tuple[int, str]]) -> None:
    transaction.connection.executemany(_SQL["touch_key"], rows)


def _register(
    transaction: Transaction, *, row: tuple[str, str, str, str | None], caps: Caps | None
) -> None:
    account, application, solution, _ = row
    connection = transaction.connection
    found = _solution_of(connection, account, application)
    if found is not None and found != solution:
        raise AlreadyExists(f"application {application} belongs to another solution")
    if found is None:
        check_applications(connection, account, caps)
    connection.execute(_SQL["save_application"], row)
    let_sheet_be_there(transaction, account, solution, application)


def _solution_of(connection: apsw.Connection, account: str, application: str) -> str | None:
    found: str | None = connection.execute(
        _SQL["solution_of_application"], (account, application)
    ).get
    return found
