"""The edge where SQLite's and the system's errors become ours."""

from __future__ import annotations

import apsw
import msgspec

from tidings.errors import (
    ConfigurationError,
    DatabaseCorrupted,
    InvalidArgument,
    StorageClosed,
    StorageFault,
    StorageUnavailable,
    TidingsError,
)

CLOSED = "the storage is closed"

_PASSING: dict[type[apsw.Error], str] = {
    apsw.BusyError: "is locked by another process",
    apsw.LockedError: "is locked by another connection",
    apsw.FullError: "can't grow: the disk is full",
    apsw.ReadOnlyError: "can't be written: it is read-only",
    apsw.IOError: "can't be read or written: the disk reports an error",
    apsw.CantOpenError: "can't be opened: check that its folder exists and may be written",
    apsw.PermissionsError: "can't be opened: this user may not read and write it",
    apsw.NoMemError: "can't be used: memory has run out",
    apsw.ProtocolError: "can't be locked",
    apsw.SchemaChangeError: "is being migrated",
    apsw.InterruptError: "was interrupted",
    apsw.AbortError: "was interrupted",
}
"""What passes, or passes once its cause is mended while the server runs."""


def translated(error: Exception, path: str) -> Exception:
    """Return our error for one that came up while `path` was used; bugs stay what they are."""
    if isinstance(error, TidingsError):
        return error
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return DatabaseCorrupted(
            f"{path} is not a database, or it is damaged ({error}). Nothing was written to it; "
            "restore it from a backup"
        )
    if isinstance(error, msgspec.DecodeError):
        return DatabaseCorrupted(f"{path} holds a row that can't be read: {error}")
    if isinstance(error, apsw.ConnectionClosedError):
        return StorageClosed(CLOSED)
    for kind, sentence in _PASSING.items():
        if isinstance(error, kind):
            return StorageUnavailable(f"{path} {sentence}")
    if isinstance(error, OSError):
        return StorageUnavailable(f"{path} can't be used: {error.strerror or error}")
    if isinstance(error, apsw.Error):
        return StorageFault(f"{path} refused a statement: {error}")
    return error


def translated_write(error: Exception, path: str) -> Exception:
    """Return our error for one write of a group: a value that can't be stored is its caller's."""
    if isinstance(error, apsw.ConstraintError | apsw.MismatchError | apsw.TooBigError):
        return InvalidArgument("entry", f"a value breaks a rule of the database: {error}")
    if isinstance(error, UnicodeEncodeError):
        return InvalidArgument("entry", "text holds half of a surrogate pair")
    if isinstance(error, OverflowError):
        return InvalidArgument("entry", "a number doesn't fit into 64 bits")
    return translated(error, path)


class ours:  # noqa: N801 - read as words: `with ours(path):`
    """Lets only our errors out of a `with` block.

    A class, since every small read goes through it: a generator costs three times as much.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        """Raise our error in the place of another's."""
        if isinstance(error, Exception):
            mine = translated(error, self._path)
            if mine is not error:
                raise mine from error


def unusable_path(path: str, error: OSError) -> ConfigurationError:
    """Return the error for a database file whose place can't be used."""
    return ConfigurationError(
        "database", f"{path} can't be opened: {error.strerror or error}. Check its folder"
    )
