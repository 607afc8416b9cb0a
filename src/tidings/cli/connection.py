"""What the commands of a user speak to: a server's API."""

from __future__ import annotations

from tidings.client import AsyncClient, Client, Patience
from tidings.clock import SystemClock
from tidings.config import Settings, variable_of
from tidings.errors import ConfigurationError


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
