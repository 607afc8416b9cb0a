"""The write-ahead log's length, kept in bounds by the writer itself (mechanics Q2)."""

from __future__ import annotations

import contextlib

import apsw

from tidings.domain import limits


class WalKeeper:
    """Counts the frames that commits leave in the WAL, and starts it anew when they are many.

    It goes by frames, not by the file, which keeps its greatest length. Setting the hook also
    ends SQLite's own checkpoints, which run inside a commit.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._page_bytes = int(connection.pragma("page_size"))
        self._wal_bytes = 0
        self._due_bytes = limits.WAL_BYTES
        connection.set_wal_hook(self._committed)

    def checkpoint_if_long(self) -> None:
        """Between two commits: copy the WAL into the database and let it begin anew.

        Readers that are still in the old frames are waited for shortly. Where they don't end the
        frames are copied all the same, and the restart is tried again some megabytes later.
        """
        if self._wal_bytes < self._due_bytes:
            return
        self._due_bytes = self._wal_bytes + limits.WAL_RETRY_BYTES
        self._connection.set_busy_timeout(limits.WAL_BUSY_MS)
        with contextlib.suppress(apsw.Error):  # a commit that fails will say what is wrong
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
            self._due_bytes = limits.WAL_BYTES
            self._wal_bytes = 0
        self._connection.set_busy_timeout(limits.DATABASE_BUSY_MS)

    def _committed(self, _: apsw.Connection, __: str, frames: int) -> int:
        self._wal_bytes = frames * self._page_bytes
        return apsw.SQLITE_OK
