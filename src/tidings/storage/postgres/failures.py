"""The edge where PostgreSQL's, asyncpg's and the network's errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import msgspec
from asyncpg import exceptions as pg

from tidings.errors import (
    DatabaseCorrupted,
    InvalidArgument,
    StorageClosed,
    StorageFault,
    StorageUnavailable,
    TidingsError,
)

CLOSED = "the storage is closed"


class PerhapsHereAlone(Exception):
    """A commit that the server kept, and that perhaps no standby has: done, or not for long."""


_LOST = (
    PerhapsHereAlone,
    OSError,
    TimeoutError,
    EOFError,
    pg.PostgresConnectionError,
    pg.AdminShutdownError,
    pg.CrashShutdownError,
    pg.CannotConnectNowError,
    pg.IdleInTransactionSessionTimeoutError,
    pg.ConnectionDoesNotExistError,
    pg.TargetServerAttributeNotMatched,
    pg.ReadOnlySQLTransactionError,
)
"""The connection is gone or of no use: what was under way may be done or not, and the next one may
reach another server (a primary that became a standby refuses writes).
"""

_UNDONE = (
    pg.SerializationError,
    pg.DeadlockDetectedError,
    pg.LockNotAvailableError,
    pg.OutdatedSchemaCacheError,
    pg.InvalidCachedStatementError,
)
"""The transaction was undone for what another did at the same time: once more may do."""

_PASSING: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (pg.DiskFullError, "the database's disk is full"),
    (pg.OutOfMemoryError, "the database has run out of memory"),
    (pg.TooManyConnectionsError, "the database takes no more connections"),
    (pg.InsufficientResourcesError, "the database has run out of something"),
    (
        pg.ReadOnlySQLTransactionError,
        "the database can't be written: it is a standby, or read-only",
    ),
    (pg.QueryCanceledError, "the database took too long (statement_timeout), or was told to stop"),
    (_UNDONE, "others were writing the same at the same time"),
    (pg.OperatorInterventionError, "the database is being stopped"),
    (pg.TargetServerAttributeNotMatched, "none of the database's hosts is a primary"),
    (PerhapsHereAlone, "a commit is on no standby yet"),
    (_LOST, "the connection to the database was lost"),
)
"""What passes, or passes once its cause is mended while the server runs."""

_ACCESS = (
    pg.InvalidAuthorizationSpecificationError,
    pg.InvalidCatalogNameError,
    pg.InsufficientPrivilegeError,
)
"""The URL names no database that this user may use."""


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, so that what was under way may be done or not."""
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, asyncpg.DataError)
    return isinstance(error, _LOST)


def is_undone(error: BaseException) -> bool:
    """Whether the transaction was surely undone, and may succeed at the next try."""
    return isinstance(error, _UNDONE)


def is_of_the_data(error: BaseException) -> bool:
    """Whether what was to be written broke a rule of the database: no try helps."""
    return isinstance(
        error,
        pg.DataError
        | pg.IntegrityConstraintViolationError
        | pg.ProgramLimitExceededError
        | asyncpg.DataError
        | UnicodeEncodeError
        | OverflowError,
    )


def translated(error: Exception) -> Exception:
    """Return our error for one that came up with the database; bugs stay what they are."""
    if isinstance(error, TidingsError):
        return error
    if is_of_the_data(error):
        return InvalidArgument("entry", f"a value breaks a rule of the database: {_said(error)}")
    if isinstance(error, msgspec.DecodeError):
        return DatabaseCorrupted(f"the database holds a row that can't be read: {error}")
    if isinstance(error, pg.DataCorruptedError | pg.IndexCorruptedError):
        return DatabaseCorrupted(f"the database is damaged: {_said(error)}")
    for kind, sentence in _PASSING:
        if isinstance(error, kind):
            return StorageUnavailable(sentence)
    if isinstance(error, _ACCESS):
        return StorageFault(f"the database can't be used: {_said(error)}")
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        return StorageUnavailable("the connection to the database was lost")
    if isinstance(error, pg.PostgresError):
        return StorageFault(f"the database refused a statement: {_said(error)}")
    return error


def closed() -> StorageClosed:
    """Return the error for a storage that is used after its end."""
    return StorageClosed(CLOSED)


@contextmanager
def ours() -> Iterator[None]:
    """Let only our errors out of the block."""
    try:
        yield
    except Exception as error:
        mine = translated(error)
        if mine is error:
            raise
        raise mine from error


def _said(error: BaseException) -> str:
    """Return what the database said, without its details: they may quote a row."""
    return str(error).split("\nDETAIL")[0]
