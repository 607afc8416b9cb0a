"""An inbox in PostgreSQL, by asyncpg (the extra `postgres`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import asyncpg

from tidings.domain.instants import from_milliseconds, to_milliseconds
from tidings.domain.limits import KEEP_SECONDS
from tidings.errors import StorageClosed, StorageFault, StorageUnavailable
from tidings.receiver.inbox import (
    Claim,
    ClaimLost,
    DeadItem,
    EffectsRefused,
    Held,
    Opened,
    Turn,
    is_new,
)
from tidings.receiver.notification import Item, ItemKind, Kept, Notification
from tidings.sql_files import queries_of

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

_SQL: Final = queries_of("tidings.receiver", "postgres_inbox.sql")
_TABLES: Final = [text for name, text in _SQL.items() if name.startswith("create_")]
_CONNECTIONS: Final = 4
"""One keeps, one works, one renews the claim; a process has few of them in any case."""
_TABLE_TRIES: Final = 3
"""Processes that make the same table side by side may get in each other's way."""
_PASSING: Final = ("08", "25006", "40", "53", "55P03", "57")
"""Classes of errors that pass: connections, a standby, conflicts, resources, shutdowns."""


class PostgresInbox:
    """Implements Inbox. The database may be the consumer's own."""

    sync_transactions = False

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        """Connect, and make the tables where they are missing."""
        with _ours():
            self._pool = await asyncpg.create_pool(
                self._url, min_size=1, max_size=_CONNECTIONS, command_timeout=KEEP_SECONDS
            )
        try:
            await self._make_tables()
        except BaseException:  # whoever opens it again makes a pool anew
            await self.close()
            raise

    async def close(self) -> None:
        """Disconnect."""
        pool, self._pool = self._pool, None
        if pool is not None:
            with _ours():
                await pool.close()

    async def keep(
        self, receiver: str, notifications: Sequence[Notification], until_ms: int
    ) -> Sequence[bool]:
        """Keep in one commit, of two statements however many there are."""
        named = [one for one in notifications if one.identity is not None]
        async with self._transaction() as db:
            found = await db.fetch(_SQL["remember"], [one.identity for one in named], until_ms)
            fresh = {row[0] for row in found}
            results = [is_new(one, fresh) for one in notifications]
            new = [one for one, is_new in zip(notifications, results, strict=True) if is_new]
            await db.execute(
                _SQL["keep"],
                receiver,
                [one.stale for one in new],
                [to_milliseconds(one.received_at) for one in new],
                [one.identity for one in new],
                [one.message_id for one in new],
                [one.body for one in new],
            )
        return results

    async def held(self, receiver: str) -> Held:
        """Count what there is."""
        async with self._transaction() as db:
            row = await db.fetchrow(_SQL["held"], receiver)
        return Held(*row)

    async def claim(self, receiver: str, holder: str, now_ms: int, until_ms: int) -> Claim | None:
        """Claim, or renew."""
        async with self._transaction() as db:
            epoch = await db.fetchval(_SQL["claim"], receiver, holder, now_ms, until_ms)
        return None if epoch is None else Claim(receiver, epoch)

    async def release(self, claim: Claim) -> None:
        """End a claim."""
        async with self._transaction() as db:
            await db.execute(_SQL["release"], claim.receiver, claim.epoch)

    async def unopened(self, claim: Claim, limit: int, max_bytes: int) -> Sequence[Kept]:
        """Read what is to be taken apart."""
        async with self._transaction() as db:
            found = await db.fetch(_SQL["unopened"], claim.receiver, limit, max_bytes)
        return [_kept(row) for row in found]

    async def unpack(self, claim: Claim, opened: Sequence[Opened], now_ms: int) -> None:
        """Put parts in the place of notifications."""
        rows = [
            (claim.receiver, one.notification, int(p.kind), p.place, p.object_key, now_ms, p.dead)
            for one in opened
            for p in one.parts
        ]
        numbers = [(one.notification,) for one in opened]
        async with self._claimed(claim) as db:
            await db.executemany(_SQL["opened"], numbers)
            await db.executemany(_SQL["add_item"], rows)
            await db.executemany(_SQL["drop_finished"], numbers)

    async def due(self, claim: Claim, now_ms: int, limit: int) -> Sequence[Item]:
        """Read what is to be tried by now."""
        async with self._claimed(claim) as db:
            return [
                _item(row) for row in await db.fetch(_SQL["due"], claim.receiver, now_ms, limit)
            ]

    async def next_due_ms(self, claim: Claim) -> int | None:
        """Read when the next is to be tried."""
        async with self._transaction() as db:
            due_ms: int | None = await db.fetchval(_SQL["next_due"], claim.receiver)
        return due_ms

    async def contents(self, notification: int) -> Kept | None:
        """Read a notification."""
        async with self._transaction() as db:
            row = await db.fetchrow(_SQL["contents"], notification)
        return None if row is None else _kept(row)

    @asynccontextmanager
    async def together(self, claim: Claim) -> AsyncIterator[Turn]:
        """Hand out a connection of its own."""
        try:
            async with self._transaction() as db:
                yield _PostgresTurn(db, claim)
        except StorageFault as error:
            raise EffectsRefused(f"the database refused what a handler did: {error}") from error

    async def settle(self, claim: Claim, items: Sequence[Item], now_ms: int) -> None:
        """Drop items that were handled."""
        async with self._claimed(claim) as db:
            for item in items:
                await _settle(db, claim, item, now_ms)

    async def postpone(self, claim: Claim, item: Item, due_ms: int) -> None:
        """Count a try that failed."""
        async with self._claimed(claim) as db:
            await db.execute(_SQL["postpone"], due_ms, item.number)

    async def bury(self, claim: Claim, item: Item, now_ms: int, error: str) -> None:
        """Give an item up."""
        async with self._claimed(claim) as db:
            await db.execute(_SQL["bury"], now_ms, error, item.number)
            await db.execute(_SQL["release_next"], claim.receiver, item.object_key, now_ms)

    async def dead(self, receiver: str, after: int, limit: int) -> Sequence[DeadItem]:
        """Read what was given up."""
        async with self._transaction() as db:
            rows = await db.fetch(_SQL["dead"], receiver, after, limit)
        return [DeadItem(item=_item(row[:6]), dead_at_ms=row[6], error=row[7]) for row in rows]

    async def revive(self, receiver: str, numbers: Sequence[int], now_ms: int) -> int:
        """Let dead items wait again, in their old places."""
        revived = 0
        async with self._transaction() as db:
            for number in numbers:
                found = await db.fetchrow(_SQL["dead_one"], receiver, number)
                if found is not None:
                    await db.execute(_SQL["revive"], number)
                    await db.execute(_SQL["rest"], receiver, found[1], number)
                    await db.execute(_SQL["release_next"], receiver, found[1], now_ms)
                    revived += 1
        return revived

    async def drop(self, receiver: str, numbers: Sequence[int]) -> int:
        """Drop dead items, and notifications that have none left."""
        dropped = 0
        async with self._transaction() as db:
            for number in numbers:
                found = await db.fetchrow(_SQL["dead_one"], receiver, number)
                if found is not None:
                    await db.execute(_SQL["drop_dead"], receiver, number)
                    await db.execute(_SQL["drop_finished"], found[0])
                    dropped += 1
        return dropped

    async def forget(self, now_ms: int, limit: int) -> int:
        """Forget the oldest identities, as far as their time is over."""
        async with self._transaction() as db:
            rows = await db.fetch(_SQL["oldest_known"], limit)
            old = [row[0] for row in takewhile(lambda row: row[1] <= now_ms, rows)]
            if old:
                await db.execute(_SQL["forget"], old[-1], now_ms)
        return len(old)

    async def _make_tables(self) -> None:
        for tries in range(1, _TABLE_TRIES + 1):
            try:
                async with self._transaction() as db:
                    for statement in _TABLES:
                        await db.execute(statement)
                return
            except StorageFault:
                if tries == _TABLE_TRIES:
                    raise

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        if self._pool is None:
            raise StorageClosed("the inbox is closed")
        with _ours():
            async with self._pool.acquire(timeout=KEEP_SECONDS) as db, db.transaction():
                yield db

    @asynccontextmanager
    async def _claimed(self, claim: Claim) -> AsyncIterator[Connection]:
        async with self._transaction() as db:
            await _check(db, claim)
            yield db


class _PostgresTurn:
    """Implements Turn."""

    def __init__(self, connection: Connection, claim: Claim) -> None:
        self.connection = connection
        self._claim = claim

    @asynccontextmanager
    async def attempt(self, item: Item, now_ms: int) -> AsyncIterator[None]:
        """Let one handler use the connection, in a savepoint."""
        with _ours():
            async with self.connection.transaction():
                yield
                if not self.connection.is_in_transaction():
                    raise EffectsRefused("a handler ended the inbox's transaction")
                await _check(self.connection, self._claim)
                await _settle(self.connection, self._claim, item, now_ms)


async def _settle(db: Connection, claim: Claim, item: Item, now_ms: int) -> None:
    if await db.fetchval(_SQL["drop_item"], item.number) is None:
        raise ClaimLost("this event was handled already")
    await db.execute(_SQL["release_next"], claim.receiver, item.object_key, now_ms)
    await db.execute(_SQL["drop_finished"], item.notification)


async def _check(db: Connection, claim: Claim) -> None:
    if await db.fetchval(_SQL["holds"], claim.receiver, claim.epoch) is None:
        raise ClaimLost("another process works this inbox off now")


def _kept(row: asyncpg.Record) -> Kept:
    return Kept(
        number=row[0],
        identity=row[1],
        message_id=row[2],
        received_at=from_milliseconds(row[3]),
        body=row[4],
        stale=row[5],
    )


def _item(row: Sequence[Any]) -> Item:
    return Item(
        number=row[0],
        notification=row[1],
        kind=ItemKind(row[2]),
        place=row[3],
        object_key=row[4],
        tries=row[5],
    )


@contextmanager
def _ours() -> Iterator[None]:
    """Let only our errors out of the block, but for what a handler raises."""
    try:
        yield
    except asyncpg.PostgresError as error:
        if (error.sqlstate or "").startswith(_PASSING):
            raise StorageUnavailable(f"PostgreSQL can't be used now: {error}") from error
        raise StorageFault(f"PostgreSQL refused a statement: {error}") from error
    except (asyncpg.InterfaceError, OSError) as error:
        raise StorageUnavailable(f"PostgreSQL can't be reached: {error}") from error
