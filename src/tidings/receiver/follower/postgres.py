"""Places in the consumer's PostgreSQL, through psycopg or asyncpg; neither is imported here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from typing import Any, Generic, TypeVar

from tidings.receiver.follower.place import (
    BEGINNING,
    check_held,
    check_idle,
    check_moved,
    check_open,
)
from tidings.receiver.follower.statements import NUMBERED, PYFORMAT, named

C = TypeVar("C")
_IDLE, _IN_TRANSACTION = 0, 2
"""libpq's PQTRANS_IDLE and PQTRANS_INTRANS, as psycopg's `info.transaction_status` says them."""


class PsycopgPlaces(Generic[C]):
    """A PlaceStore whose transactions are psycopg's connections.

    `connections` gives one for each transaction, in a `with`: a pool's `pool.connection`, or
    `lambda: psycopg.connect(url)`. One that was lost is so replaced by the next.
    """

    def __init__(self, connections: Callable[[], AbstractContextManager[C]]) -> None:
        self._connections = connections

    def make_table(self) -> None:
        """Make the table `tidings_follower` where it isn't there: once, by who may."""
        with self._transaction() as connection:
            connection.execute(PYFORMAT.make_table)

    def load(self, webhook_id: str) -> str:
        """Return a webhook's place."""
        with self._transaction() as connection:
            rows = connection.cursor(row_factory=_plain)
            rows.execute(PYFORMAT.load, {"webhook_id": webhook_id})
            return _place_of(rows.fetchone())

    @contextmanager
    def moving(self, webhook_id: str, old: str, new: str) -> Iterator[C]:
        """Enter a transaction, given for the work; see PlaceStore."""
        with self._transaction() as connection:
            connection.execute(PYFORMAT.begin_row, {"webhook_id": webhook_id})
            check_held(connection.execute(PYFORMAT.hold, named(webhook_id, old)).rowcount)
            yield connection
            check_open(connection.info.transaction_status == _IN_TRANSACTION)
            moved = connection.execute(PYFORMAT.move_in_transaction, named(webhook_id, new))
            check_moved(moved.rowcount)

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self._connections() as lent:
            connection: Any = lent
            check_idle(connection.info.transaction_status == _IDLE)
            with connection.transaction():
                yield connection


class AsyncPsycopgPlaces(Generic[C]):
    """The same for an AsyncFollower: `connections` is an AsyncConnectionPool's `connection`."""

    def __init__(self, connections: Callable[[], AbstractAsyncContextManager[C]]) -> None:
        self._connections = connections

    async def make_table(self) -> None:
        """Make the table `tidings_follower` where it isn't there: once, by who may."""
        async with self._transaction() as connection:
            await connection.execute(PYFORMAT.make_table)

    async def load(self, webhook_id: str) -> str:
        """Return a webhook's place."""
        async with self._transaction() as connection:
            rows = connection.cursor(row_factory=_plain)
            await rows.execute(PYFORMAT.load, {"webhook_id": webhook_id})
            return _place_of(await rows.fetchone())

    @asynccontextmanager
    async def moving(self, webhook_id: str, old: str, new: str) -> AsyncIterator[C]:
        """Enter a transaction, given for the work; see PlaceStore."""
        async with self._transaction() as connection:
            await connection.execute(PYFORMAT.begin_row, {"webhook_id": webhook_id})
            held = await connection.execute(PYFORMAT.hold, named(webhook_id, old))
            check_held(held.rowcount)
            yield connection
            check_open(connection.info.transaction_status == _IN_TRANSACTION)
            move = PYFORMAT.move_in_transaction
            moved = await connection.execute(move, named(webhook_id, new))
            check_moved(moved.rowcount)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Any]:
        async with self._connections() as lent:
            connection: Any = lent
            check_idle(connection.info.transaction_status == _IDLE)
            async with connection.transaction():
                yield connection


class AsyncpgPlaces(Generic[C]):
    """An AsyncPlaceStore whose transactions are asyncpg's connections; `connections` is a pool's
    `acquire`.
    """

    def __init__(self, connections: Callable[[], AbstractAsyncContextManager[C]]) -> None:
        self._connections = connections

    async def make_table(self) -> None:
        """Make the table `tidings_follower` where it isn't there: once, by who may."""
        async with self._transaction() as connection:
            await connection.execute(NUMBERED.make_table)

    async def load(self, webhook_id: str) -> str:
        """Return a webhook's place."""
        async with self._transaction() as connection:
            return _place_of(await connection.fetchrow(NUMBERED.load, webhook_id))

    @asynccontextmanager
    async def moving(self, webhook_id: str, old: str, new: str) -> AsyncIterator[C]:
        """Enter a transaction, given for the work; see PlaceStore."""
        async with self._transaction() as connection:
            await connection.execute(NUMBERED.begin_row, webhook_id)
            check_held(_rows(await connection.execute(NUMBERED.hold, webhook_id, old)))
            yield connection
            check_open(connection.is_in_transaction())
            move = NUMBERED.move_in_transaction
            check_moved(_rows(await connection.execute(move, webhook_id, new)))

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Any]:
        async with self._connections() as lent:
            connection: Any = lent
            check_idle(not connection.is_in_transaction())
            async with connection.transaction():
                yield connection


def _plain(_: object) -> type[tuple[Any, ...]]:
    """Be psycopg's row factory: rows are tuples, whatever the consumer's own are."""
    return tuple


def _place_of(row: Any) -> str:
    return BEGINNING if row is None else str(row[0])


def _rows(tag: str) -> int:
    """Return the rows that a command's tag counts: `UPDATE 1`."""
    return int(tag.rpartition(" ")[2])
