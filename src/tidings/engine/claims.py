"""Taking buckets over from dispatchers that are gone, where several may run (mechanics D6)."""

from __future__ import annotations

import asyncio

from tidings.domain import limits
from tidings.engine.dispatcher import Dispatcher


class Claims:
    """Asks for what others hold as often as they must renew it. A Worker.

    So a dispatcher that died is followed by another one within a lease and a round.
    """

    name = "claims"

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.wake = asyncio.Event()
        self._dispatcher = dispatcher

    async def run_once(self) -> float:
        """Take over what is free."""
        await self._dispatcher.take_over()
        return limits.LEASE_RENEW_SECONDS
