"""Which inbox a URL means."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tidings.errors import ConfigurationError
from tidings.receiver.inbox import Inbox
from tidings.receiver.sqlite_inbox import SqliteInbox

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


def inbox_at(place: str | Inbox) -> Callable[[], Inbox]:
    """Return what makes an inbox for a sitting; one that is made already is used again.

    Raises ConfigurationError, which doesn't say the URL: it may hold a password.
    """
    if not isinstance(place, str):
        return lambda: place
    path = place.removeprefix(_SQLITE)
    if place.startswith(_SQLITE) and path:
        return partial(SqliteInbox, path)
    if place.startswith(_POSTGRES):
        try:
            from tidings.receiver.postgres_inbox import PostgresInbox
        except ImportError as error:
            raise ConfigurationError(
                "inbox", "PostgreSQL needs asyncpg: pip install 'tidings[postgres]'"
            ) from error
        return partial(PostgresInbox, place)
    raise ConfigurationError(
        "inbox", "it is sqlite:///relative.db, sqlite:////absolute.db or postgresql://…"
    )
