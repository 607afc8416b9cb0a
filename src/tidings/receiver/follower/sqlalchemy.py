"""Places beside the tables that a consumer reaches through SQLAlchemy: on PostgreSQL or SQLite."""

from __future__ import annotations

import importlib
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
from tidings.receiver.follower.statements import NAMED, named

S = TypeVar("S")


class SqlalchemyPlaces(Generic[S]):
    """A PlaceStore whose transactions are SQLAlchemy's sessions; `sessions` is a sessionmaker.

    Who has a session has SQLAlchemy: Tidings itself doesn't need it, and imports it only here.
    """

    def __init__(self, sessions: Callable[[], AbstractContextManager[S]]) -> None:
        self._sessions = sessions
        self._text = _sqlalchemys_text()

    def make_table(self) -> None:
        """Make the table `tidings_follower` where it isn't there: once, by who may."""
        with self._transaction() as session:
            session.execute(self._text(NAMED.make_table))

    def load(self, webhook_id: str) -> str:
        """Return a webhook's place."""
        with self._transaction() as session:
            row = session.execute(self._text(NAMED.load), {"webhook_id": webhook_id}).first()
        return BEGINNING if row is None else str(row[0])

    @contextmanager
    def moving(self, webhook_id: str, old: str, new: str) -> Iterator[S]:
        """Enter a transaction, given for the work; see PlaceStore."""
        with self._transaction() as session:
            session.execute(self._text(NAMED.begin_row), {"webhook_id": webhook_id})
            check_held(session.execute(self._text(NAMED.hold), named(webhook_id, old)).rowcount)
            begun = session.get_transaction()
            yield session
            check_open(session.get_transaction() is begun)
            check_moved(session.execute(self._text(NAMED.move), named(webhook_id, new)).rowcount)

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self._sessions() as lent:
            session: Any = lent
            check_idle(not session.in_transaction())
            with session.begin():
                yield session


class AsyncSqlalchemyPlaces(Generic[S]):
    """The same for an AsyncFollower: its sessions are AsyncSession's; `sessions` is an
    async_sessionmaker.
    """

    def __init__(self, sessions: Callable[[], AbstractAsyncContextManager[S]]) -> None:
        self._sessions = sessions
        self._text = _sqlalchemys_text()

    async def make_table(self) -> None:
        """Make the table `tidings_follower` where it isn't there: once, by who may."""
        async with self._transaction() as session:
            await session.execute(self._text(NAMED.make_table))

    async def load(self, webhook_id: str) -> str:
        """Return a webhook's place."""
        async with self._transaction() as session:
            rows = await session.execute(self._text(NAMED.load), {"webhook_id": webhook_id})
            row = rows.first()
        return BEGINNING if row is None else str(row[0])

    @asynccontextmanager
    async def moving(self, webhook_id: str, old: str, new: str) -> AsyncIterator[S]:
        """Enter a transaction, given for the work; see PlaceStore."""
        async with self._transaction() as session:
            await session.execute(self._text(NAMED.begin_row), {"webhook_id": webhook_id})
            held = await session.execute(self._text(NAMED.hold), named(webhook_id, old))
            check_held(held.rowcount)
            begun = session.sync_session.get_transaction()
            yield session
            check_open(session.sync_session.get_transaction() is begun)
            moved = await session.execute(self._text(NAMED.move), named(webhook_id, new))
            check_moved(moved.rowcount)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Any]:
        async with self._sessions() as lent:
            session: Any = lent
            check_idle(not session.in_transaction())
            async with session.begin():
                yield session


def _sqlalchemys_text() -> Callable[[str], Any]:
    text: Callable[[str], Any] = importlib.import_module("sqlalchemy").text
    return text
