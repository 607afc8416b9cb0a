"""Being there, among the processes that share a role (mechanics D6)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tidings.domain import limits
from tidings.domain.server_role import ServerRole
from tidings.ports import Clock, RosterStore


class Attendance:
    """Says as often as leases are renewed that this process is there. A Worker.

    Who came first of those that are there leads, where a role wants one alone. It leads by a lease,
    then: one that is heard of no more is followed by the next within LEASE_SECONDS, and one that
    was paused knows by its own clock that it may be followed already.
    """

    name = "attendance"

    def __init__(self, roster: RosterStore, clock: Clock, role: ServerRole, holder: str) -> None:
        self.wake = asyncio.Event()
        self.role = role
        self.holder = holder
        self._roster = roster
        self._clock = clock
        self._present: Sequence[str] = ()
        self._attended_at = clock.monotonic()

    @property
    def leads(self) -> bool:
        """Whether this process came first of those that are there."""
        sure = self._clock.monotonic() - self._attended_at < limits.LEASE_ABORT_SECONDS
        return sure and self._present[:1] == (self.holder,)

    async def run_once(self) -> float:
        """Say so; see who else is."""
        asked_at = self._clock.monotonic()
        present = await self._roster.attend(self.role, self.holder, limits.LEASE_SECONDS)
        self._present, self._attended_at = tuple(present), asked_at
        return max(0.0, asked_at + limits.LEASE_RENEW_SECONDS - self._clock.monotonic())

    async def present(self) -> Sequence[str]:
        """Return who is there now, by the database."""
        return await self._roster.present(self.role)

    async def leave(self) -> None:
        """Be there no more, so that nobody waits for this process."""
        self._present = ()
        await self._roster.leave(self.role, self.holder)
