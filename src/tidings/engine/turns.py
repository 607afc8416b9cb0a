"""Turns at the log: one page at a time a key (mechanics P5).

So that a key with many requests at once holds no more than one reader. How many readers one
account may hold is the storage adapter's part: only it knows its threads, and which scan is long.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """Gives turns by key, first come first served."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        """Keys that have a turn now, with those who wait for the next."""

    async def take(self, key_id: str) -> None:
        """Return when it is the caller's turn; it must be given back, whatever happens after."""
        waiting = self._waiting.get(key_id)
        if waiting is None:
            self._waiting[key_id] = deque()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # The turn may have come in the same round of the loop as the end.
            if turn.done() and not turn.cancelled():
                self.give_back(key_id)
            raise

    def give_back(self, key_id: str) -> None:
        """End a turn; the next who waits for this key gets it."""
        waiting = self._waiting[key_id]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[key_id]
