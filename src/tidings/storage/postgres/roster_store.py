"""Who is there, on PostgreSQL (mechanics D6)."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.storage.postgres.connection import Database
from tidings.storage.postgres.queries import load_queries

_SQL = load_queries("roster")


class PostgresRosterStore:
    """ports.RosterStore on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def attend(self, role: str, holder: str, seconds: float) -> Sequence[str]:
        """Say that a process is there; return who is, the first to come first."""
        async with self._database.writing() as connection:
            await connection.execute(_SQL["forget_absent"])
            await connection.execute(_SQL["attend"], role, holder, round(seconds * 1000))
        return await self.present(role)

    async def present(self, role: str) -> Sequence[str]:
        """Return who is there, the first to come first."""
        rows = await self._database.fetch(_SQL["present"], role)
        return tuple(row["holder"] for row in rows)

    async def leave(self, role: str, holder: str) -> None:
        """Say that a process is there no more."""
        async with self._database.writing() as connection:
            await connection.execute(_SQL["leave"], role, holder)
