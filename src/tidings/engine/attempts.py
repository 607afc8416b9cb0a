"""The log of attempts: for people, written in batches; a crash may lose its last second."""

from __future__ import annotations

import asyncio
from collections import deque

from tidings import telemetry
from tidings.domain import limits
from tidings.domain.dispatch import Attempt
from tidings.ports import DispatchStore


class AttemptLog:
    """Gathers attempts and writes them each second. A Worker.

    Where the database can't keep up the oldest are dropped and counted in a log line: nothing but
    this log hangs on them.
    """

    name = "attempts"

    def __init__(self, store: DispatchStore) -> None:
        self.wake = asyncio.Event()
        self._store = store
        self._waiting: deque[Attempt] = deque(maxlen=limits.ATTEMPT_QUEUE)
        self._dropped = 0

    def add(self, attempt: Attempt) -> None:
        """Take note of an attempt."""
        if len(self._waiting) == limits.ATTEMPT_QUEUE:
            self._dropped += 1
        self._waiting.append(attempt)

    async def run_once(self) -> float:
        """Write what was gathered; what can't be written is kept, up to the bound."""
        if self._dropped:
            telemetry.logger().warning(telemetry.ATTEMPTS_DROPPED, count=self._dropped)
            self._dropped = 0
        if self._waiting:
            batch = list(self._waiting)
            self._waiting.clear()
            try:
                await self._store.add_attempts(batch)
            except BaseException:
                newer = list(self._waiting)
                self._waiting.clear()
                self._waiting.extend(batch + newer)
                raise
        return limits.FLUSH_SECONDS
