"""A connection to a SQLite file, with the one thread that uses it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from tidings.domain.limits import INBOX_JOURNAL_BYTES, KEEP_SECONDS
from tidings.errors import DatabaseCorrupted, StorageUnavailable
from tidings.receiver.inbox import EffectsRefused
from tidings.receiver.sqlite_rows import SQL

P = ParamSpec("P")
T = TypeVar("T")

_BUSY_SECONDS = KEEP_SECONDS / 2
"""For the lock of this process, and again for that of others."""


class Desk:
    """Writes only while it has `writing`, the process's lock for its file."""

    def __init__(self, path: str, writing: threading.Lock) -> None:
        self._path = path
        self._writing = writing
        self._has_lock = False
        self._lent = False
        self._connection: sqlite3.Connection | None = None
        self._thread: Executor = ThreadPoolExecutor(1, thread_name_prefix="tidings-inbox")

    async def call(
        self, call: Callable[Concatenate[Desk, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a call in the thread, to its end even where its caller is cancelled."""
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._thread, partial(call, self, *args, **kwargs))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            raise

    async def write(
        self,
        call: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a call in a transaction of its own; return its value once that is durable."""
        return await self.call(Desk.write_now, lambda db: call(db, *args, **kwargs))

    async def close(self) -> None:
        """Close the connection and end the thread."""
        await self.call(Desk.disconnect)
        self._thread.shutdown(wait=False)

    # In the thread.

    def write_now(self, call: Callable[[sqlite3.Connection], T]) -> T:
        """Run a call in a transaction of its own."""
        try:
            self.begin()
            value = self.run(call)
            self.commit()
        finally:
            self.leave()
        return value

    def begin(self) -> None:
        """Take the lock, and SQLite's."""
        if not self._writing.acquire(timeout=_BUSY_SECONDS):
            raise StorageUnavailable(f"{self._path} is busy: a handler has its transaction")
        self._has_lock = True
        self.run(lambda db: db.execute(SQL["begin"]))

    def run(
        self,
        call: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a call in the transaction that is open."""
        with _ours(self._path):
            return call(self._connected(), *args, **kwargs)

    def commit(self) -> None:
        """Make it durable."""
        self.run(lambda db: db.execute(SQL["commit"]))

    def leave(self) -> None:
        """Undo what wasn't committed, and give the lock back, as far as either is to be done."""
        try:
            self.take_back()
            if self._connection is not None and self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self._connection.execute(SQL["rollback"])
        finally:
            if self._has_lock:
                self._has_lock = False
                self._writing.release()

    def lend(self) -> sqlite3.Connection:
        """Begin, and return the connection for those who can't end the transaction."""
        self.begin()
        self._lent = True
        connection = self._connected()
        connection.set_authorizer(_no_transactions)
        return connection

    def take_back(self) -> None:
        """End the lending, where there is one."""
        if not self._lent or self._connection is None:
            return
        self._lent = False
        try:
            self._connection.set_authorizer(None)
        except sqlite3.ProgrammingError:  # whoever had it has closed it
            self._connection = None

    def begin_one(self) -> None:
        """Begin what can be undone alone."""
        self._check_transaction()
        self.run(lambda db: db.execute(SQL["begin_one"]))

    def keep_one(self, settle: Callable[[sqlite3.Connection], None]) -> None:
        """Let it stand, with its settling."""
        self._tidy()
        self._check_transaction()
        self.run(settle)
        self.run(lambda db: db.execute(SQL["keep_one"]))

    def undo_one(self) -> None:
        """Undo it, where there is still something to undo."""
        self._tidy()
        if self._is_in_transaction():
            self.run(lambda db: db.execute(SQL["undo_one"]))
            self.run(lambda db: db.execute(SQL["keep_one"]))

    def finish(self) -> None:
        """Commit what was lent."""
        self.take_back()
        self._check_transaction()
        self.commit()

    def _tidy(self) -> None:
        """Forget in which form one handler wanted its rows."""
        if self._connection is not None:
            self._connection.row_factory, self._connection.text_factory = None, str

    def _check_transaction(self) -> None:
        """Raise EffectsRefused where the transaction is over already: a trigger may undo it all."""
        if not self._is_in_transaction():
            raise EffectsRefused(
                "a handler undid the inbox's transaction, or closed its connection"
            )

    def _is_in_transaction(self) -> bool:
        try:
            return self._connection is not None and self._connection.in_transaction
        except sqlite3.ProgrammingError:  # it is closed
            return False

    def disconnect(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(
                self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA synchronous = FULL")
            # Handlers can't say so: within a transaction it has no effect.
            self._connection.execute("PRAGMA foreign_keys = ON")
            if self._connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                # A journal that stays is a quarter faster than one that is cut to nothing.
                self._connection.execute("PRAGMA journal_mode = PERSIST")
                self._connection.execute(f"PRAGMA journal_size_limit = {INBOX_JOURNAL_BYTES}")
        return self._connection


def _no_transactions(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_TRANSACTION else sqlite3.SQLITE_OK


@contextmanager
def _ours(path: str) -> Iterator[None]:
    """Let only our errors out of the block."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StorageUnavailable(f"{path} can't be read or written now: {error}") from error
    except sqlite3.IntegrityError as error:  # a check that was deferred to the commit
        raise EffectsRefused(f"the database refused what the handler did: {error}") from error
    except sqlite3.DatabaseError as error:
        raise DatabaseCorrupted(f"{path} is not a database, or it is damaged: {error}") from error
    except sqlite3.Error as error:
        raise StorageUnavailable(f"{path} can't be used: {error}") from error
