"""An inbox in a SQLite file, by the standard library's sqlite3.

Two connections: one keeps, one works. Within a process a lock lets one of them write at a time;
between processes SQLite's own does. The file stays in the journal mode that it has: a new one gets
a rollback journal, since the write-ahead log of the SQLite that most interpreters bring can damage
a file that several processes write (mended in 3.51.3). Commits are shared, so that costs little.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from tidings.errors import StorageClosed
from tidings.receiver import sqlite_rows as rows
from tidings.receiver.inbox import Claim, DeadItem, Held, Opened, Turn
from tidings.receiver.notification import Item, Kept, Notification
from tidings.receiver.sqlite_desk import Desk

P = ParamSpec("P")
T = TypeVar("T")


class SqliteInbox:
    """Implements Inbox. `path` is the file's; the consumer's own database may be meant."""

    sync_transactions = True

    def __init__(self, path: str) -> None:
        self._path = path
        self._writing = threading.Lock()
        self._turn = asyncio.Lock()
        self._keeping: Desk | None = None
        self._working: Desk | None = None

    async def open(self) -> None:
        """Open the file, or make it."""
        self._keeping = self._new_desk()
        self._working = self._new_desk()
        try:
            await self._keeping.write(rows.make_tables)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the file."""
        desks = [desk for desk in (self._keeping, self._working) if desk is not None]
        self._keeping = self._working = None
        for desk in desks:
            await desk.close()

    async def keep(
        self, receiver: str, notifications: Sequence[Notification], until_ms: int
    ) -> Sequence[bool]:
        """Keep in one commit."""
        return await _opened(self._keeping).write(rows.keep, receiver, notifications, until_ms)

    async def held(self, receiver: str) -> Held:
        """Count, beside what is being worked off."""
        return await _opened(self._keeping).write(rows.held, receiver)

    async def claim(self, receiver: str, holder: str, now_ms: int, until_ms: int) -> Claim | None:
        """Claim, or renew."""
        # By the connection that keeps: a handler may have the other one for long.
        return await _opened(self._keeping).write(rows.claim, receiver, holder, now_ms, until_ms)

    async def release(self, claim: Claim) -> None:
        """End a claim."""
        await self._write(rows.release, claim)

    async def unopened(self, claim: Claim, limit: int, max_bytes: int) -> Sequence[Kept]:
        """Read what is to be taken apart."""
        return await self._write(rows.unopened, claim, limit, max_bytes)

    async def unpack(self, claim: Claim, opened: Sequence[Opened], now_ms: int) -> None:
        """Put parts in the place of notifications."""
        await self._write(rows.unpack, claim, opened, now_ms)

    async def due(self, claim: Claim, now_ms: int, limit: int) -> Sequence[Item]:
        """Read what is to be tried by now."""
        return await self._write(rows.due, claim, now_ms, limit)

    async def next_due_ms(self, claim: Claim) -> int | None:
        """Read when the next is to be tried."""
        return await self._write(rows.next_due, claim)

    async def contents(self, notification: int) -> Kept | None:
        """Read a notification."""
        return await self._write(rows.contents, notification)

    @asynccontextmanager
    async def together(self, claim: Claim) -> AsyncIterator[Turn]:
        """Hand the working connection out, in a transaction that its users can't end."""
        async with self._turn:
            desk = _opened(self._working)
            try:
                yield _SqliteTurn(desk, claim, await desk.call(Desk.lend))
                await desk.call(Desk.finish)
            finally:
                await desk.call(Desk.leave)

    async def settle(self, claim: Claim, items: Sequence[Item], now_ms: int) -> None:
        """Drop items that were handled."""
        await self._write(rows.settle, claim, items, now_ms)

    async def postpone(self, claim: Claim, item: Item, due_ms: int) -> None:
        """Count a try that failed."""
        await self._write(rows.postpone, claim, item, due_ms)

    async def bury(self, claim: Claim, item: Item, now_ms: int, error: str) -> None:
        """Give an item up."""
        await self._write(rows.bury, claim, item, now_ms, error)

    async def dead(self, receiver: str, after: int, limit: int) -> Sequence[DeadItem]:
        """Read what was given up."""
        return await self._write(rows.dead, receiver, after, limit)

    async def revive(self, receiver: str, numbers: Sequence[int], now_ms: int) -> int:
        """Let dead items be tried again."""
        return await self._write(rows.revive, receiver, numbers, now_ms)

    async def drop(self, receiver: str, numbers: Sequence[int]) -> int:
        """Drop dead items."""
        return await self._write(rows.drop, receiver, numbers)

    async def forget(self, now_ms: int, limit: int) -> int:
        """Forget old identities."""
        return await self._write(rows.forget, now_ms, limit)

    def _new_desk(self) -> Desk:
        """Return a connection with its thread. A seam, so that tests can do without threads."""
        return Desk(self._path, self._writing)

    async def _write(
        self,
        call: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        async with self._turn:
            return await _opened(self._working).write(call, *args, **kwargs)


class _SqliteTurn:
    """Implements Turn."""

    def __init__(self, desk: Desk, claim: Claim, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._desk = desk
        self._claim = claim

    @asynccontextmanager
    async def attempt(self, item: Item, now_ms: int) -> AsyncIterator[None]:
        """Let one handler use the connection, in a savepoint."""
        await self._desk.call(Desk.begin_one)
        try:
            yield
            settle = partial(rows.settle, claim=self._claim, items=(item,), now_ms=now_ms)
            await self._desk.call(Desk.keep_one, settle)
        except BaseException:
            await self._desk.call(Desk.undo_one)
            raise


def _opened(desk: Desk | None) -> Desk:
    if desk is None:
        raise StorageClosed("the inbox is closed")
    return desk
