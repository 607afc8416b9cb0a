"""Following a webhook without a database: its place lives as long as the process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tidings.errors import RevisionConflict
from tidings.receiver.follower import BEGINNING


class PlaceInMemory:
    """One webhook's place, as an AsyncPlaceStore; `token` says how far it is."""

    def __init__(self, token: str | None) -> None:
        self.token = token or BEGINNING

    async def load(self, webhook_id: str) -> str:
        """Return the place; there is one webhook."""
        return self.token

    @asynccontextmanager
    async def moving(self, webhook_id: str, old: str, new: str) -> AsyncIterator[None]:
        """Move once the block is done. Raises RevisionConflict where the place isn't `old`."""
        if self.token != old:
            raise RevisionConflict("The place has moved meanwhile.")
        yield
        self.token = new
