"""From a database's URL to its storage: the one place that knows which adapters there are."""

from __future__ import annotations

from types import ModuleType
from urllib.parse import unquote, urlsplit

from tidings.domain import limits
from tidings.errors import ConfigurationError
from tidings.ports import Capabilities, Clock, Storage
from tidings.storage.sqlite import CAPABILITIES, open_sqlite

_POSTGRES = ("postgresql://", "postgres://")


async def open_storage(
    url: str,
    clock: Clock,
    *,
    serve: bool,
    connections: int = limits.DATABASE_CONNECTIONS,
    statement_seconds: float = limits.STATEMENT_SECONDS,
) -> Storage:
    """Open the database at `url`: `sqlite:///relative.db`, `sqlite:////absolute.db`,
    `postgresql://user@host/name`.

    `serve` is for a server, without it for commands that work beside one. `connections` and
    `statement_seconds` are PostgreSQL's. Raises ConfigurationError for a URL that names no
    database.
    """
    if is_postgres(url):
        storage: Storage = await postgres().open_postgres(
            url, clock, serve=serve, connections=connections, statement_seconds=statement_seconds
        )
        return storage
    return await open_sqlite(sqlite_path(url), clock, serve=serve)


def capabilities_of(url: str) -> Capabilities:
    """Return what the adapter of a database's URL declares; nothing is opened.

    Raises ConfigurationError for a URL that names no database.
    """
    if is_postgres(url):
        declared: Capabilities = postgres().CAPABILITIES
        return declared
    sqlite_path(url)
    return CAPABILITIES


def is_postgres(url: str) -> bool:
    """Whether a URL is PostgreSQL's."""
    return url.startswith(_POSTGRES)


def postgres() -> ModuleType:
    """Return the PostgreSQL adapter; imported only where it is used, because its driver is an
    extra. Raises ConfigurationError where that is missing.
    """
    try:
        from tidings.storage import postgres as adapter
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise ConfigurationError(
            "database", "PostgreSQL needs a driver: pip install 'tidings[postgres]'"
        ) from error
    return adapter


def sqlite_path(url: str) -> str:
    """Return the file that a `sqlite:` URL names. Raises ConfigurationError for any other URL."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigurationError("database", f"{url!r} is not a URL") from error
    path = unquote(parts.path[1:])
    plain = not (parts.netloc or parts.query or parts.fragment)
    if parts.scheme != "sqlite" or not plain or not path or "\0" in path or path == ":memory:":
        raise ConfigurationError(
            "database",
            "database must be sqlite:///relative.db or sqlite:////absolute.db, and name a file, "
            "or postgresql://user@host/name",
        )
    return path
