"""Sharing the buckets out among the dispatchers that are there (mechanics D6)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tidings.domain import limits
from tidings.domain.sharing import Holdings, share_of
from tidings.engine.attendance import Attendance
from tidings.engine.checkpoint import Checkpointing
from tidings.engine.dispatcher import Dispatcher
from tidings.engine.leases import Leases
from tidings.ports import DispatchStore


class Claims:
    """Takes its fair share of what is free, and gives up what others lack. A Worker.

    A dispatcher that died is followed by the others within LEASE_SECONDS and a round; one that
    comes is given its share within a few.
    """

    name = "claims"

    def __init__(
        self,
        store: DispatchStore,
        attendance: Attendance,
        leases: Leases,
        dispatcher: Dispatcher,
        checkpointing: Checkpointing,
    ) -> None:
        self.wake = asyncio.Event()
        self._store = store
        self._attendance = attendance
        self._leases = leases
        self._dispatcher = dispatcher
        self._checkpointing = checkpointing

    async def run_once(self) -> float:
        """Look at who is there and who holds what; take, or give up."""
        holdings = Holdings(tuple(await self._attendance.present()), await self._store.held())
        share = share_of(self._attendance.holder, holdings, self._leases.epochs)
        if share.give_up:
            await self._give_up(share.give_up)
        await self._dispatcher.take_over(share.take)
        return limits.CLAIM_SECONDS

    async def _give_up(self, buckets: Sequence[int]) -> None:
        """Drain buckets, write all of them down, and release them: in this order (D6)."""
        self._dispatcher.pause(buckets)
        try:
            await self._dispatcher.land(buckets, limits.GIVE_UP_SECONDS)
            await self._checkpointing.run_once()
        except BaseException:
            self._dispatcher.resume(buckets)
            raise
        await self._leases.release(buckets)
