"""Hanging up in time where leases can't be renewed (mechanics D6)."""

from __future__ import annotations

import asyncio

from tidings.domain import limits
from tidings.engine.dispatcher import Dispatcher
from tidings.engine.leases import Leases


class LeaseWatch:
    """Aborts what is in flight once the last renewal is too long ago. A Worker.

    It asks nobody but the clock: the dispatcher's own round may be waiting for the same database,
    for as long as a statement may take, and meanwhile another process has the buckets.
    """

    name = "lease-watch"

    def __init__(self, leases: Leases, dispatcher: Dispatcher) -> None:
        self.wake = asyncio.Event()
        self._leases = leases
        self._dispatcher = dispatcher

    async def run_once(self) -> float:
        """Look; return when the leases may be unsure at the earliest."""
        if self._leases.sure:
            return self._leases.sure_seconds
        self._dispatcher.hang_up()
        return limits.FLUSH_SECONDS
