"""Turns at the readers: one read at a time a key, a quarter of the threads an account.

Mechanics P5: so that one tenant's long scans leave room for everybody else's pages. The threads
themselves are the storage adapter's.
"""

from __future__ import annotations

import asyncio
from collections import deque

from tidings.domain.limits import READER_THREADS

_ACCOUNT_SHARE = max(1, READER_THREADS // 4)


class _Queue:
    """One account's turns: the keys that read now, and those that wait, in order."""

    __slots__ = ("reading", "waiting")

    def __init__(self) -> None:
        self.reading: set[str] = set()
        self.waiting: deque[tuple[str, asyncio.Future[None]]] = deque()


class Turns:
    """Gives turns, first come first served within an account; a key waits for its own last."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}

    async def take(self, account: str, key_id: str) -> None:
        """Return when it is this key's turn; it must be given back, whatever happens after."""
        queue = self._queues.setdefault(account, _Queue())
        if len(queue.reading) < _ACCOUNT_SHARE and key_id not in queue.reading:
            queue.reading.add(key_id)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.waiting.append((key_id, turn))
        try:
            await turn
        except asyncio.CancelledError:
            # The turn may have come in the same round of the loop as the end.
            if turn.done() and not turn.cancelled():
                self.give_back(account, key_id)
            else:
                queue.waiting.remove((key_id, turn))
                self._forget_if_idle(account, queue)
            raise

    def give_back(self, account: str, key_id: str) -> None:
        """End a turn; the next of the account that may read gets it."""
        queue = self._queues[account]
        queue.reading.remove(key_id)
        for index, (waiting_key, turn) in enumerate(queue.waiting):
            if waiting_key not in queue.reading and not turn.done():
                del queue.waiting[index]
                queue.reading.add(waiting_key)
                turn.set_result(None)
                return
        self._forget_if_idle(account, queue)

    def _forget_if_idle(self, account: str, queue: _Queue) -> None:
        if not queue.reading and not queue.waiting:
            del self._queues[account]
