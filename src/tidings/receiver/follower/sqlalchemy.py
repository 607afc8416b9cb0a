"""Places beside the tables that a consumer reaches through SQLAlchemy: on PostgreSQL or SQLite."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
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
        self._text: Callable[[str], Any] = importlib.import_module("sqlalchemy").text

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
