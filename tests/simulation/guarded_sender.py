"""The scripted endpoints behind production's own sender: guard, look-ups and verdict decide."""

from __future__ import annotations

from tests.simulation.endpoints import ScriptedSender
from tests.simulation.hosts import Hosts
from tests.simulation.network import Network
from tidings.domain.address import AddressPolicy
from tidings.ports import Clock, SendOutcome, SendRequest
from tidings.sender import CurlSender


class GuardedSender(ScriptedSender):
    """A CurlSender whose DNS and libcurl are the world's."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock.monotonic)
        self.hosts = Hosts(clock)
        self.network = Network(self.hosts, self.answer)
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        """Begin anew, as a process does that knows nothing of the one before."""
        self._guarded = CurlSender(
            AddressPolicy(),
            self._clock,
            resolver=self.hosts,
            own_addresses=self.hosts.own_addresses,
            libcurl=self.network,
        )

    async def deliver(self, request: SendRequest) -> SendOutcome:
        """Let production's sender send it."""
        return await self._guarded.send(request)
