"""DNS of the simulated world, and the addresses of the machine that sends: both by script."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

from tests.simulation.dice import Dice
from tidings.ports import Clock
from tidings.sender.lookups import LookupFailed

INSIDE = (
    "127.0.0.1",
    "10.0.0.5",
    "100.64.1.1",
    "169.254.169.254",
    "168.63.129.16",
    "192.168.1.1",
    "::1",
    "fd00:ec2::254",
    "::ffff:10.0.0.5",
    "64:ff9b::7f00:1",
)
"""Addresses behind which lies what no tenant may reach (mechanics S2)."""
OWN = "93.185.0.1"
"""Public, and this machine's own."""
_OUTSIDE = "93.184."


def outside(host: str) -> str:
    """Return the public address that a host has unless a script says otherwise."""
    number = zlib.crc32(host.encode())
    return f"{_OUTSIDE}{number >> 8 & 255}.{number & 255}"


def is_outside(address: str) -> bool:
    """Whether it is one of those: nothing else in this world may be connected to."""
    return address.startswith(_OUTSIDE)


class Hosts:
    """Implements Resolver: each name has a public address, or those that a script gives it."""

    def __init__(self, clock: Clock) -> None:
        self.own = {OWN}
        """The machine's own addresses."""
        self.deaf: set[str] = set()
        """Addresses that refuse every connection."""
        self.own_soon: set[str] = set()
        """Addresses that become the machine's own between their vetting and the connection."""
        self.answer_seconds = 0.0
        self.asked: Callable[[int], None] = lambda at_once: None
        """Told of each look-up, with how many are under way."""
        self._clock = clock
        self._under_way = 0
        self._answers: dict[str, Callable[[], Sequence[str]]] = {}

    def lead(self, host: str, *addresses: str) -> None:
        """Let a name have these addresses from now on; none: let there be no such name."""
        self._answers[host] = lambda: addresses

    def turn(self, host: str, dice: Dice) -> None:
        """Let a name have another address at each look-up: a public one, or one inside."""
        self._answers[host] = lambda: (
            (outside(host),) if dice.chance(0.5) else (dice.one_of(INSIDE),)
        )

    def mend(self, host: str) -> None:
        """Let a name have its public address, which is nobody else's, and where it is heard."""
        self._answers.pop(host, None)
        self.own.discard(outside(host))
        self.own_soon.discard(outside(host))
        self.deaf.discard(outside(host))

    def about_to_connect(self, addresses: Sequence[str]) -> None:
        """Hear that a host's addresses were vetted, and that one of them is connected to next."""
        self.own.update(self.own_soon.intersection(addresses))

    def own_addresses(self) -> frozenset[str]:
        """Return what this machine's interfaces have now."""
        return frozenset(self.own)

    async def resolve(self, host: str) -> Sequence[str]:
        """Return a name's addresses. Raises LookupFailed."""
        self._under_way += 1
        self.asked(self._under_way)
        try:
            if self.answer_seconds:
                await self._clock.sleep(self.answer_seconds)
            answer = self._answers.get(host)
            addresses = answer() if answer else (outside(host),)
        finally:
            self._under_way -= 1
        if not addresses:
            raise LookupFailed(f"DNS has no address for {host}.")
        return addresses

    async def close(self) -> None:
        """Nothing is held open."""
