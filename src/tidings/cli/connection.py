"""What commands work on: a server's API, or a database file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tidings.client import AsyncClient, Client, Patience
from tidings.clock import SystemClock
from tidings.config import Settings, variable_of
from tidings.errors import ConfigurationError
from tidings.ports import Storage
from tidings.storage.migrate import migrate_own
from tidings.storage.open import open_storage

_R = TypeVar("_R")


def connect(settings: Settings) -> Client:
    """Return a client of the server that the settings name. Raises ConfigurationError, no key."""
    return Client(
        settings.url,
        _key(settings),
        pause=SystemClock().pause,
        patience=Patience(total_seconds=settings.patience_seconds),
    )


def connect_in_loop(settings: Settings) -> AsyncClient:
    """Return the same for an event loop."""
    return AsyncClient(
        settings.url,
        _key(settings),
        pause=SystemClock().sleep,
        patience=Patience(total_seconds=settings.patience_seconds),
    )


def _key(settings: Settings) -> str:
    if settings.key is None:
        raise ConfigurationError(
            "key",
            f"An API key is needed: --key, or better the variable {variable_of('key')}. "
            "`tidings keys create` makes one.",
        )
    return settings.key.get_secret_value()


def on_database(
    settings: Settings, work: Callable[[Storage], Awaitable[_R]], *, making: bool = False
) -> _R:
    """Open the database, beside a running server if there is one, do the work, close it.

    `making`: where a SQLite file's schema is behind, or nothing is there yet, migrate first
    (mechanics Q1).
    """

    async def run() -> _R:
        if making:
            await migrate_own(settings.database)
        storage = await open_storage(settings.database, SystemClock(), serve=False)
        try:
            return await work(storage)
        finally:
            await storage.close()

    return asyncio.run(run())
