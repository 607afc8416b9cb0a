"""From a database's URL to its storage: the one place that knows which adapters there are."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from tidings.errors import ConfigurationError
from tidings.ports import Clock, Storage
from tidings.storage.sqlite import open_sqlite


async def open_storage(url: str, clock: Clock, *, serve: bool) -> Storage:
    """Open the database at `url` (`sqlite:///relative.db`, `sqlite:////absolute.db`).

    `serve` is for the server, which wants the database for itself; without it, for commands that
    work beside one. Raises ConfigurationError for a URL that names no database.
    """
    return await open_sqlite(sqlite_path(url), clock, serve=serve)


def sqlite_path(url: str) -> str:
    """Return the file that a `sqlite:` URL names. Raises ConfigurationError for any other URL."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigurationError("database", f"{url!r} is not a URL") from error
    if parts.scheme in {"postgresql", "postgres"}:
        raise ConfigurationError(
            "database", "PostgreSQL comes with a later version; use sqlite:///tidings.db"
        )
    path = unquote(parts.path[1:])
    plain = not (parts.netloc or parts.query or parts.fragment)
    if parts.scheme != "sqlite" or not plain or not path or "\0" in path or path == ":memory:":
        raise ConfigurationError(
            "database",
            "database must be sqlite:///relative.db or sqlite:////absolute.db, and name a file",
        )
    return path
