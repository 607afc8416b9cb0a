"""What the commands of an operator work on: the database itself, with or without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlsplit

from tidings.clock import SystemClock
from tidings.config import Settings
from tidings.errors import StorageUnavailable
from tidings.ports import Storage
from tidings.storage.migrate import migrate_own
from tidings.storage.open import open_storage

_R = TypeVar("_R")


@contextmanager
def opening(url: str) -> Iterator[None]:
    """Say which database can't be opened; to whoever asked for it, and with no password in it."""
    try:
        yield
    except StorageUnavailable as error:
        parts = urlsplit(url)
        login, at, hosts = parts.netloc.rpartition("@")
        shown = f"{parts.scheme}://{login.partition(':')[0]}{at}{hosts}{parts.path}"
        raise StorageUnavailable(f"{shown} can't be opened now: {error.message}") from error


def on_database(
    settings: Settings, work: Callable[[Storage], Awaitable[_R]], *, making: bool = False
) -> _R:
    """Open the database, beside a running server if there is one, do the work, close it.

    `making`: where a SQLite file's schema is behind, or nothing is there yet, migrate first
    (mechanics Q1).
    """

    async def run() -> _R:
        with opening(settings.database):
            if making:
                await migrate_own(settings.database)
            storage = await open_storage(settings.database, SystemClock(), serve=False)
        try:
            return await work(storage)
        finally:
            await storage.close()

    return asyncio.run(run())
