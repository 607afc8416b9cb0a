"""The storage's threads, replaced by turns of the event loop that a seed draws; and its faults.

What threads do in an order of their own is done here in one order a seed: a failure comes again
whenever its seed does. SQLite, its file and its transactions stay the real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import apsw

from tests.simulation.dice import Dice
from tidings.errors import StorageUnavailable
from tidings.ports import Storage
from tidings.storage.sqlite.storage import SqliteStorage

T = TypeVar("T")

_SLOWEST_TURNS = 4
_LATEST_STATEMENT = 12
_UNDOING = ("ROLLBACK", "RELEASE")


class OneThread:
    """Runs one storage's reads and writes in the event loop, and fails a share of them.

    A write that fails does so at its n-th statement, or commits and loses its answer.
    """

    def __init__(self, storage: Storage, dice: Dice) -> None:
        assert isinstance(storage, SqliteStorage)
        self.share = 0.0
        """So many transactions of one fail."""
        self.deaf = False
        """Whether nobody hears of what is committed."""
        self.on_struck: Callable[[], None] = lambda: None
        """Called at each transaction that fails."""
        self._dice = dice
        self._readers = storage._readers
        self._writer = storage._writer
        self._busy = False
        vars(self._readers)["in_thread"] = self._read
        vars(self._writer)["_hand_over"] = self._commit

    def last_position(self, bucket: int) -> int:
        """Return the bucket's newest position, as any reader sees it now."""
        query = "SELECT max(position) FROM change_log WHERE bucket = ?"
        found: int | None = self._readers._inline.execute(query, (bucket,)).get
        return found or 0

    def rows(self, query: str, *bindings: Any) -> list[Any]:
        """Return what a query finds, past all of the storage's own code."""
        found: list[Any] = self._readers._inline.execute(query, bindings).fetchall()
        return found

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        found: int = self._readers._inline.execute(f"SELECT count(*) FROM {table}").get
        return found

    async def _read(self, read: Callable[..., T], *given: Any, **named: Any) -> T:
        for _ in range(self._dice.below(_SLOWEST_TURNS)):
            await asyncio.sleep(0)
        if self._strikes():
            raise StorageUnavailable("struck")
        return self._readers.at_once(read, *given, **named)

    def _commit(self) -> None:
        """Commit what waits, once the last group is answered: as the writer's thread does."""
        writer = self._writer
        if self._busy or not writer._turn:
            return
        self._busy = True
        group, writer._turn = writer._turn, []
        struck = self._strikes()
        loses_answer = struck and self._dice.chance(0.5)
        if struck and not loses_answer:
            self._fail_at(1 + self._dice.below(_LATEST_STATEMENT))
        appended = writer._commit_group(group)
        appended = () if self.deaf else appended
        writer._connection.exec_trace = None
        if loses_answer:
            appended = ()
            for waiting in group:
                waiting.error = StorageUnavailable("committed, and the answer was lost")
        self._after(self._dice.below(_SLOWEST_TURNS), partial(self._answer, group, appended))

    def _strikes(self) -> bool:
        struck = self._dice.chance(self.share)
        if struck:
            self.on_struck()
        return struck

    def _answer(self, group: Any, appended: Any) -> None:
        self._writer._settle(group, appended)
        self._busy = False
        self._commit()

    def _after(self, turns: int, call: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(call if turns == 0 else partial(self._after, turns - 1, call))

    def _fail_at(self, statement: int) -> None:
        left = statement

        def trace(cursor: object, sql: str, bindings: object) -> bool:
            nonlocal left
            left -= 1
            if left == 0 and not sql.lstrip().upper().startswith(_UNDOING):
                raise apsw.IOError("struck")
            return True

        self._writer._connection.exec_trace = trace
