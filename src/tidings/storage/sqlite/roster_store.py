"""Who is there, on SQLite (mechanics D6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from tidings.storage.sqlite.queries import load_queries
from tidings.storage.sqlite.transaction import Transaction
from tidings.storage.sqlite.writer import Writer

_SQL = load_queries("roster")


class SqliteRosterStore:
    """ports.RosterStore on one file. Whoever asks is written, so that one clock judges all."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def attend(self, role: str, holder: str, seconds: float) -> Sequence[str]:
        """Say that a process is there; return who is, the first to come first."""
        return await self._writer.run(partial(_attend, role=role, holder=holder, seconds=seconds))

    async def present(self, role: str) -> Sequence[str]:
        """Return who is there, the first to come first."""
        return await self._writer.run(partial(_present, role=role))

    async def leave(self, role: str, holder: str) -> None:
        """Say that a process is there no more."""
        await self._writer.run(partial(_leave, role=role, holder=holder))


def _attend(transaction: Transaction, *, role: str, holder: str, seconds: float) -> tuple[str, ...]:
    now = transaction.now_ms
    transaction.connection.execute(_SQL["forget_absent"], {"now": now})
    wish = {"role": role, "holder": holder, "now": now, "ends_at": now + round(seconds * 1000)}
    transaction.connection.execute(_SQL["attend"], wish)
    return _present(transaction, role=role)


def _present(transaction: Transaction, *, role: str) -> tuple[str, ...]:
    wish = {"role": role, "now": transaction.now_ms}
    rows: Iterable[Any] = transaction.connection.execute(_SQL["present"], wish)
    return tuple(holder for (holder,) in rows)


def _leave(transaction: Transaction, *, role: str, holder: str) -> None:
    transaction.connection.execute(_SQL["leave"], {"role": role, "holder": holder})
