"""Every error that Tidings raises, in one tree; a branch says whose fault it is.

::

    TidingsError
    ├── RequestError                 the caller's: mend the request
    │   ├── InvalidArgument          one argument is wrong; `argument` names it
    │   ├── MalformedRequest         the body can't be parsed at all
    │   ├── Unauthenticated          no key, or one that doesn't exist or is revoked
    │   ├── PermissionDenied         a key of the wrong role
    │   ├── NotFound                 nothing there that this account may see
    │   ├── Conflict                 it contradicts what is stored
    │   │   ├── AlreadyExists
    │   │   └── IdempotencyKeyReused the same Idempotency-Key with another body
    │   ├── FailedPrecondition       not in this state
    │   │   └── NoPostgreSQL         none to start here (`demo/private_postgres.py`)
    │   ├── TooLarge                 over a limit of size; `argument` names what
    │   ├── UnsupportedMediaType     a Content-Type or -Encoding we don't read
    │   ├── SheetRefusal             by a code of Smartsheet's (`domain/sheet_refusal.py`)
    │   └── RateLimited              too many requests; `retry_after_seconds`
    ├── Unavailable                  ours, and it passes: try again after `retry_after_seconds`
    │   ├── LogOverloaded            the log can't keep up
    │   └── StorageUnavailable       the database can't be read or written now
    │       └── ClockAhead           its clock runs too far ahead to append by it
    ├── ServerFault                  the server's: an answer that is none (500, garbage)
    ├── StorageFault                 the operator's: it doesn't pass by itself
    │   ├── DatabaseInUse            another server holds the file
    │   ├── DatabaseCorrupted        not a database, or a damaged one
    │   ├── SchemaBehind             run `tidings migrate`
    │   ├── SchemaAhead              made by a newer Tidings
    │   └── StorageClosed            used after close
    ├── RevisionConflict             the row changed since it was read: read again
    ├── LeaseLost                    the bucket is another dispatcher's by now: leave it alone
    ├── ConfigurationError           a setting is wrong; `argument` names it
    ├── EventsExpired                the reader's: events it hadn't read were dropped; resync
    ├── GiveUp                       a handler's: no further try would help (`receiver/hooks.py`)
    ├── ClaimLost, EffectsRefused    an inbox's, and a worker's to heed (`receiver/inbox.py`)
    └── SignatureMismatchError       the signature doesn't verify

Foreign errors (the database driver's, libcurl's) are translated where they come in; none of
them leaves an adapter.
"""

from __future__ import annotations


class TidingsError(Exception):
    """The root of the tree. `message` is a sentence for the person who can act on it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RequestError(TidingsError):
    """The caller's fault. `argument` names the part of the request that is wrong, if one is."""

    def __init__(self, message: str, *, argument: str | None = None) -> None:
        super().__init__(message)
        self.argument = argument


class InvalidArgument(RequestError):
    """One argument is wrong; `argument` is its path in the request (`webhook.filter`)."""

    def __init__(self, argument: str, message: str) -> None:
        super().__init__(message, argument=argument)


class MalformedRequest(RequestError):
    """The body can't be parsed: not JSON, not UTF-8, not gzip, too deep to look at."""


class Unauthenticated(RequestError):
    """No key was given, or one that doesn't exist or is revoked."""


class PermissionDenied(RequestError):
    """The key exists, but its role may not do this."""


class NotFound(RequestError):
    """Nothing that this account may see has this id."""


class Conflict(RequestError):
    """The request contradicts what is stored."""


class AlreadyExists(Conflict):
    """Something else has this name already."""


class IdempotencyKeyReused(Conflict):
    """The same Idempotency-Key came with another body (mechanics L4)."""


class FailedPrecondition(RequestError):
    """Not possible in the state that the thing is in."""


class TooLarge(RequestError):
    """Over a limit of size; nothing was stored."""


class UnsupportedMediaType(RequestError):
    """A Content-Type or Content-Encoding that this endpoint doesn't read."""


class RateLimited(RequestError):
    """Too many requests with this key."""

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(TidingsError):
    """Ours, and it passes: the same request may be sent again after `retry_after_seconds`."""

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class LogOverloaded(Unavailable):
    """More is waiting for the log than its queue may hold."""


class StorageUnavailable(Unavailable):
    """The database can't be read or written now (locked, full, connection lost)."""


class ClockAhead(StorageUnavailable):
    """The clock has jumped too far ahead: positions given by it couldn't be taken back (L8)."""


class ServerFault(TidingsError):
    """The server's: it answered with a failure of its own, or with nothing that this API says.

    It may pass, and may not: its operator has to look.
    """


class StorageFault(TidingsError):
    """The database needs its operator; trying again doesn't help."""


class DatabaseInUse(StorageFault):
    """Another server holds this database file (mechanics Q1)."""


class DatabaseCorrupted(StorageFault):
    """The file is not a database, or it is damaged. Nothing was written to it."""


class SchemaBehind(StorageFault):
    """The database's schema is older than this Tidings: run `tidings migrate`."""


class SchemaAhead(StorageFault):
    """The database was made by a newer Tidings, and this one won't touch it."""


class StorageClosed(StorageFault):
    """The storage was used after it was closed."""


class RevisionConflict(TidingsError):
    """The row changed between the read and the write: read again, decide again."""


class LeaseLost(TidingsError):
    """The lease that a write was made under is over: its bucket is another's now (mechanics D6)."""


class ConfigurationError(TidingsError):
    """A setting is wrong; `argument` is its name."""

    def __init__(self, argument: str, message: str) -> None:
        super().__init__(message)
        self.argument = argument


class EventsExpired(TidingsError):
    """The reader came too late: events that it hadn't read are older than the log is kept.

    What they did has to be learned from where they came from.
    """


class SignatureMismatchError(TidingsError):
    """The signature is missing, malformed, too old, or not made with this secret."""
