"""Invariant 11, guarded egress: where connections go, and how many names are asked for.

Judged at the simulated network, past everything that production decides: it knows which addresses
lie outside (`hosts.py`), and nothing of the engine's table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from tests.simulation.guarded_sender import GuardedSender
from tests.simulation.hosts import is_outside
from tests.simulation.invariants import must

LOOKUPS_OF_AN_ACCOUNT = 8
"""Names that may be asked for at once (mechanics D7)."""


def nothing_inside(address: str, own: Collection[str]) -> None:
    """11: no byte goes to a forbidden address, whatever DNS or a redirect says."""
    must(is_outside(address), f"11: connected to {address}")
    must(address not in own, f"11: connected to {address}, which is the server's own by now")


def within_lookups(at_once: int, accounts: int) -> None:
    """11: no account asks DNS for more names at once than its share."""
    must(at_once <= LOOKUPS_OF_AN_ACCOUNT * accounts, f"11: {at_once} look-ups at once")


def refused(status: int, url: str) -> None:
    """11: no webhook is made for, or moved to, an address inside."""
    must(status in (0, 400, 429, 503), f"11: {url} was taken: {status}")


def watch(sender: GuardedSender, judge: Callable[..., None], accounts: int) -> None:
    """Have every connection and every look-up judged."""
    hosts = sender.hosts
    sender.network.connected = lambda address: judge(nothing_inside, address, hosts.own)
    hosts.asked = lambda at_once: judge(within_lookups, at_once, accounts)
