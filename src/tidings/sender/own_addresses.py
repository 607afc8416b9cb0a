"""The addresses of this host's interfaces, which are refused like private ones (mechanics S2).

A service that listens on the host's public address trusts, too often, whoever connects from the
host itself. What a router translates to this host (a cloud's elastic address) can't be seen here.
"""

from __future__ import annotations

from ipaddress import IPv6Address
from pathlib import Path

from tidings.domain.limits import OWN_ADDRESSES_SECONDS
from tidings.ports import Clock

_IPV4_TABLE = Path("/proc/net/fib_trie")
_IPV6_TABLE = Path("/proc/net/if_inet6")


class OwnAddresses:
    """The interfaces' addresses, read again when they are older than OWN_ADDRESSES_SECONDS."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._addresses: frozenset[str] = frozenset()
        self._read_at: float | None = None

    def current(self) -> frozenset[str]:
        """Return each address in its shortest form."""
        now = self._clock.monotonic()
        if self._read_at is None or now - self._read_at >= OWN_ADDRESSES_SECONDS:
            self._addresses = ipv4_of(_text(_IPV4_TABLE)) | ipv6_of(_text(_IPV6_TABLE))
            self._read_at = now
        return self._addresses


def ipv4_of(fib_trie: str) -> frozenset[str]:
    """Return the local addresses in the kernel's IPv4 routing trie: `/32 host LOCAL` under one."""
    found = set()
    address = ""
    for line in fib_trie.splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            address = words[1]
        elif words == ["/32", "host", "LOCAL"]:
            found.add(address)
    return frozenset(found)


def ipv6_of(if_inet6: str) -> frozenset[str]:
    """Return the addresses in the kernel's list of IPv6 interfaces: 32 hex digits a line."""
    return frozenset(
        str(IPv6Address(int(line.split()[0], 16))) for line in if_inet6.splitlines() if line
    )


def _text(table: Path) -> str:
    """Return a table of the kernel, or nothing where there is none (no IPv6; not Linux)."""
    try:
        return table.read_text(encoding="ascii")
    except OSError:
        return ""
