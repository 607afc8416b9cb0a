"""What belongs to an account and to no bucket: keys and applications (contract 3.1, 3.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

import asyncpg

from tidings.domain.buckets import bucket_of
from tidings.domain.caps import Caps
from tidings.domain.instants import to_milliseconds
from tidings.domain.key import ApiKey
from tidings.errors import AlreadyExists
from tidings.storage.postgres.connection import Database
from tidings.storage.postgres.kept import check_applications, lock_account
from tidings.storage.postgres.lanes import Lanes
from tidings.storage.postgres.queries import load_queries
from tidings.storage.postgres.sheet_scope import let_sheet_be_there
from tidings.storage.postgres.transaction import LaneTransaction
from tidings.storage.rows.accounts import key_row, read_key

_SQL = load_queries("accounts")


class PostgresKeyStore:
    """ports.KeyStore on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: set[bytes] = set()
        self._look: asyncio.Task[dict[bytes, ApiKey]] | None = None
        """For all that were asked for in this turn of the event loop."""

    async def create(self, key: ApiKey) -> None:
        """Store a key. Raises AlreadyExists if the account has a living key of this name."""
        async with self._database.writing() as connection:
            try:
                await connection.execute(_SQL["insert_key"], *key_row(key))
            except asyncpg.UniqueViolationError as error:
                raise AlreadyExists(f"account {key.account} has a key named {key.name}") from error

    async def find(self, key_hash: bytes) -> ApiKey | None:
        """Return the living key with this hash: looked up anew in each turn of the event loop, so
        that a revocation by another process is heeded at once.

        The requests of one turn share one look: they have all come in before it begins.
        """
        self._asked.add(key_hash)
        if self._look is None:
            self._look = asyncio.create_task(self._find())
        return (await asyncio.shield(self._look)).get(key_hash)

    async def list(self, account: str | None) -> Sequence[ApiKey]:
        """Return keys, also revoked ones, of one account or of all, oldest first."""
        rows = await self._database.fetch(_SQL["list_keys"], account)
        return [read_key(*row) for row in rows]

    async def revoke(self, key_id: str, now: datetime) -> bool:
        """Revoke a key; False if there is no living one of this id."""
        async with self._database.writing() as connection:
            return bool(await connection.fetch(_SQL["revoke_key"], to_milliseconds(now), key_id))

    async def touch(self, used_at: Mapping[str, datetime]) -> None:
        """Store when keys were last used (key_id → instant)."""
        ordered = sorted(used_at.items())
        instants = [to_milliseconds(instant) for _, instant in ordered]
        async with self._database.writing() as connection:
            key_ids = [key_id for key_id, _ in ordered]
            await connection.execute(_SQL["touch_keys"], key_ids, instants)

    async def _find(self) -> dict[bytes, ApiKey]:
        """Look for all that was asked for until now; whoever asks later has another look."""
        asked, self._asked, self._look = self._asked, set(), None
        rows = await self._database.fetch(_SQL["find_keys"], list(asked))
        return {key.key_hash: key for key in (read_key(*row) for row in rows)}


class PostgresApplicationStore:
    """ports.ApplicationStore on PostgreSQL."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._database = lanes.database

    async def solution_of(self, account: str, application: str) -> str | None:
        """Return the solution that an application belongs to; None where it isn't known."""
        rows = await self._database.fetch(_SQL["solution_of_application"], account, application)
        return rows[0]["solution"] if rows else None

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
        bucket = bucket_of(account, solution)
        row = (account, application, solution, name)
        await self._lanes.of(bucket).run(bucket, partial(_register, row=row, caps=caps))


async def _register(
    transaction: LaneTransaction, *, row: tuple[str, str, str, str | None], caps: Caps | None
) -> None:
    account, application, solution, _ = row
    connection = transaction.connection
    await lock_account(connection, account)
    found = await connection.fetchval(_SQL["solution_of_application"], account, application)
    if found is not None and found != solution:
        raise AlreadyExists(f"application {application} belongs to another solution")
    if found is None:
        await check_applications(connection, account, caps)
    await connection.execute(_SQL["save_application"], *row)
    await let_sheet_be_there(transaction, account, solution, application)
