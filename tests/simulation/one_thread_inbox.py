"""The receiver's SQLite inbox without its threads: its calls are turns of the event loop.

The file, its transactions and the two connections stay the real ones. A share of the writes fails,
before the commit or behind it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from tests.simulation.dice import Dice
from tests.simulation.server import Server
from tidings.errors import StorageUnavailable
from tidings.receiver.sqlite_desk import Desk
from tidings.receiver.sqlite_inbox import SqliteInbox

P = ParamSpec("P")
T = TypeVar("T")

_SLOWEST_TURNS = 4
_TRANSACTIONS = (Desk.write_now, Desk.lend, Desk.finish)
"""Calls that others may come between; those for one handler in a transaction are done at once."""
_BUSY_SECONDS = 4.0
_LOOK_SECONDS = 0.05
_LEFT = (
    "SELECT (SELECT count(*) FROM tidings_notification WHERE unopened = 1),"
    " (SELECT min(due_ms) FROM tidings_item)"
)


class _Lock:
    """A lock for whose owner nobody waits by blocking the one thread."""

    def __init__(self) -> None:
        self.owner: Desk | None = None
        self.asking: Desk | None = None

    def acquire(self, timeout: float) -> bool:
        """Take it, if it is free."""
        free = self.owner is None
        if free:
            self.owner = self.asking
        return free

    def release(self) -> None:
        """Give it back."""
        self.owner = None


class OneThreadDesk(Desk):
    """A desk that is used in the event loop's own thread."""

    def __init__(self, path: str, lock: _Lock, server: Server, dice: Dice) -> None:
        super().__init__(path, cast("Any", lock))
        self.share = 0.0
        self._dead = False
        self._lock = lock
        self._clock = server.clock
        self._dice = dice

    async def call(
        self, call: Callable[Concatenate[Desk, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a call when its turn has come, and the other desk's transaction is over."""
        if call in _TRANSACTIONS:
            for _ in range(self._dice.below(_SLOWEST_TURNS)):
                await asyncio.sleep(0)
        waits_until = self._clock.monotonic() + _BUSY_SECONDS
        while self._lock.owner not in (None, self) and self._clock.monotonic() < waits_until:
            await self._clock.sleep(_LOOK_SECONDS)
        if self._dead:
            raise StorageUnavailable("killed")
        self._lock.asking = self
        return call(self, *args, **kwargs)

    def commit(self) -> None:
        """Make it durable, and lose the answer now and then; or fail before."""
        struck = self._dice.chance(self.share)
        if struck and self._dice.chance(0.5):
            raise StorageUnavailable("struck before the commit")
        super().commit()
        if struck:
            raise StorageUnavailable("committed, and the answer was lost")

    def look(self, query: str) -> list[Any]:
        """Return what a query finds."""
        return self._connected().execute(query).fetchall()

    def die(self) -> None:
        """Lose what isn't committed, as a process does that is killed."""
        self._dead = True
        self.take_back()
        with suppress(sqlite3.Error):
            if self._connection is not None:
                self._connection.rollback()
            self.disconnect()


class OneThreadInbox(SqliteInbox):
    """An inbox of such desks."""

    def __init__(self, path: str, server: Server, dice: Dice) -> None:
        super().__init__(path)
        self._server = server
        self._dice = dice
        self._lock = _Lock()
        self._desks: list[OneThreadDesk] = []

    def _new_desk(self) -> Desk:
        desk = OneThreadDesk(self._path, self._lock, self._server, self._dice)
        self._desks.append(desk)
        return desk

    def strike(self, share: float) -> None:
        """Let such a share of all commits fail."""
        for desk in self._desks:
            desk.share = share

    def left(self) -> tuple[int, int | None]:
        """Return how many notifications aren't opened yet, and when the next item is due (ms)."""
        [(unopened, due_ms)] = self._desks[0].look(_LEFT)
        return unopened, due_ms

    def die(self) -> None:
        """End as if the process were killed."""
        for desk in self._desks:
            desk.die()
