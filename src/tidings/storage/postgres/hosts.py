"""Several hosts in one URL: which is tried, and in what order.

asyncpg tries them in order too, but under one deadline for all: behind a host that lost its power,
and so refuses nothing, the others were never reached.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from urllib.parse import parse_qs

from asyncpg.exceptions import TargetServerAttributeNotMatched

from tidings.domain import limits
from tidings.storage.postgres.failures import is_lost

T = TypeVar("T")

PRIMARY = "primary"
"""What is sought where a URL doesn't say: reads go to the primary too (mechanics P6)."""


def urls_by_host(url: str) -> Sequence[str]:
    """Return one URL for each host that a URL names: `postgresql://user@h1:5432,h2:5433/name`."""
    scheme, separator, rest = url.partition("://")
    size = min((at for sign in "/?" if (at := rest.find(sign)) >= 0), default=len(rest))
    user, sign_at, hosts = rest[:size].rpartition("@")
    return [f"{scheme}{separator}{user}{sign_at}{host}{rest[size:]}" for host in hosts.split(",")]


def sought(url: str) -> str | None:
    """Return the kind of server to seek; None where the URL says it itself."""
    return None if "target_session_attrs" in parse_qs(url.partition("?")[2]) else PRIMARY


class Hosts:
    """Tries one host after the other, first the one that answered last."""

    def __init__(self, url: str) -> None:
        self._urls = list(urls_by_host(url))
        self.patience_seconds = (
            limits.DATABASE_CONNECT_SECONDS
            if len(self._urls) == 1
            else limits.DATABASE_HOST_SECONDS
        )
        """How long one host is waited for."""

    async def first(self, connect: Callable[[str], Awaitable[T]]) -> T:
        """Return the first connection that is made.

        Any failure passes a host over: a standby may lag behind a database's making. Where no host
        would have us, the failure that tells most is raised: a wrong password rather than that
        there are standbys only, and that rather than a host that is away.
        """
        failures: list[Exception] = []
        for url in tuple(self._urls):
            try:
                connection = await connect(url)
            except Exception as error:  # noqa: BLE001 - raised below, if no host is left
                failures.append(error)
            else:
                self._urls.remove(url)
                self._urls.insert(0, url)
                return connection
        raise min(failures, key=_dumbness)


def _dumbness(failure: Exception) -> int:
    """Return how little a failure tells."""
    if not is_lost(failure):
        return 0
    return 1 if isinstance(failure, TargetServerAttributeNotMatched) else 2
