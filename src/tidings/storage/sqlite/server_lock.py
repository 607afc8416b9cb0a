"""One server a file (mechanics Q1): a lock beside the database that dies with its process."""

from __future__ import annotations

import fcntl
import os

from tidings.errors import DatabaseInUse
from tidings.storage.sqlite.failures import unusable_path


class ServerLock:
    """An exclusive `flock` on `<database>.lock`.

    Never on the database file itself: closing any descriptor of it would drop SQLite's own locks.
    The lock file is left behind when the lock ends; removing it would let two servers lock two
    different files of one name.
    """

    def __init__(self, database: str) -> None:
        """Take the lock. Raises DatabaseInUse, or ConfigurationError if its place is unusable."""
        try:
            self._descriptor = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise unusable_path(database, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise DatabaseInUse(
                f"{database} is in use by another server (process {holder or 'unknown'})"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """End the lock. A second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
