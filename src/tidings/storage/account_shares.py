"""Long scans of one account leave the readers to others (mechanics P5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class AccountShares:
    """A quarter of the readers for the long scans of one account.

    A scan of one slice is short and takes no share. The quarter is one reader while there are
    fewer than eight, so that a key, which belongs to one account, has no more than one either.
    """

    def __init__(self, readers: int) -> None:
        self._quarter = max(1, readers // 4)
        self._shares: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def of(self, account: str) -> AsyncIterator[None]:
        """Let the block run when the account has a share left."""
        fresh = asyncio.Semaphore(self._quarter)
        share, users = self._shares.get(account, (fresh, 0))
        self._shares[account] = (share, users + 1)
        try:
            async with share:
                yield
        finally:
            _, users = self._shares.pop(account)
            if users > 1:
                self._shares[account] = (share, users - 1)
