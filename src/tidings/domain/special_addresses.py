"""The addresses that are not hosts of the public internet, as one explicit table.

Python's own `ipaddress.is_global` isn't asked: on 3.11 it calls NAT64, 6to4 and shared address
space public in places. Sources: IANA's special-purpose address registries for IPv4 and IPv6 (the
RFC of each row), IANA's IPv6 address space registry for the last row, and the clouds' own pages
for their metadata addresses. A row that is missing lets a tenant reach what lies behind it, so a
row too many is the lesser fault.
"""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

import msgspec


class Kind(Enum):
    """What is to be done about an address of a row."""

    REFUSED = "refused"
    LOOPBACK = "loopback"
    """Refused, but by a server in dev mode."""
    EMBEDDED = "embedded"
    """Judged by the IPv4 address in its last 32 bits, which is where the packets go."""


class SpecialPrefix(msgspec.Struct, frozen=True):
    """One row: a prefix, what it is ("a loopback address"), and the page that says so."""

    network: IPv4Network | IPv6Network
    what: str
    source: str
    kind: Kind = Kind.REFUSED


def _row(prefix: str, what: str, source: str, kind: Kind = Kind.REFUSED) -> SpecialPrefix:
    return SpecialPrefix(ip_network(prefix), what, source, kind)


_METADATA: Final = "an address of a cloud's own services"

# The first row that fits is the one that counts.
SPECIAL_IPV4: Final = (
    _row("169.254.169.254/32", _METADATA, "AWS, Azure, Google, Oracle, DigitalOcean, Hetzner"),
    _row("169.254.170.2/32", _METADATA, "AWS ECS task credentials"),
    _row("168.63.129.16/32", _METADATA, "Azure wire server: the one with a public look"),
    _row("100.100.100.200/32", _METADATA, "Alibaba Cloud"),
    _row("192.0.0.192/32", _METADATA, "Oracle Cloud, classic"),
    _row("0.0.0.0/8", "an unspecified address", "RFC 791, RFC 1122 3.2.1.3"),
    _row("10.0.0.0/8", "a private address", "RFC 1918"),
    _row("100.64.0.0/10", "a shared address of a provider's inside", "RFC 6598"),
    _row("127.0.0.0/8", "a loopback address", "RFC 1122 3.2.1.3", Kind.LOOPBACK),
    _row("169.254.0.0/16", "a link-local address", "RFC 3927"),
    _row("172.16.0.0/12", "a private address", "RFC 1918"),
    _row("192.0.0.0/24", "an address for protocols' own use", "RFC 6890"),
    _row("192.0.2.0/24", "an address for documentation", "RFC 5737"),
    _row("192.88.99.0/24", "an address of the former 6to4 relays", "RFC 7526"),
    _row("192.168.0.0/16", "a private address", "RFC 1918"),
    _row("198.18.0.0/15", "an address for benchmarks", "RFC 2544"),
    _row("198.51.100.0/24", "an address for documentation", "RFC 5737"),
    _row("203.0.113.0/24", "an address for documentation", "RFC 5737"),
    _row("224.0.0.0/4", "a multicast address", "RFC 5771"),
    _row("255.255.255.255/32", "the broadcast address", "RFC 919"),
    _row("240.0.0.0/4", "a reserved address", "RFC 1112 4"),
)

SPECIAL_IPV6: Final = (
    _row("::/128", "the unspecified address", "RFC 4291 2.5.2"),
    _row("::1/128", "a loopback address", "RFC 4291 2.5.3", Kind.LOOPBACK),
    _row("::ffff:0:0/96", "an IPv4-mapped address", "RFC 4291 2.5.5.2", Kind.EMBEDDED),
    _row("::/96", "an IPv4-compatible address", "RFC 4291 2.5.5.1, deprecated"),
    _row("::ffff:0:0:0/96", "an IPv4-translated address", "RFC 2765, deprecated"),
    _row("64:ff9b::/96", "a NAT64 address", "RFC 6052 2.1", Kind.EMBEDDED),
    _row("64:ff9b:1::/48", "a NAT64 address of local use", "RFC 8215"),
    _row("100::/64", "an address that discards", "RFC 6666"),
    _row("2001::/32", "a Teredo address", "RFC 4380"),
    _row("2001::/23", "an address for protocols' own use", "RFC 2928"),
    _row("2001:db8::/32", "an address for documentation", "RFC 3849"),
    _row("2002::/16", "a 6to4 address", "RFC 3056, RFC 7526"),
    _row("3fff::/20", "an address for documentation", "RFC 9637"),
    _row("5f00::/16", "a segment routing address", "RFC 9602"),
    _row("fd00:ec2::/32", _METADATA, "AWS: metadata ::254, DNS ::253, time ::123, EKS ::23"),
    _row("fd20:ce::254/128", _METADATA, "Google Cloud"),
    _row("fd00:42::42/128", _METADATA, "Scaleway"),
    _row("fc00::/7", "a private address", "RFC 4193"),
    _row("fe80::/10", "a link-local address", "RFC 4291 2.5.6"),
    _row("fec0::/10", "a site-local address", "RFC 3879"),
    _row("ff00::/8", "a multicast address", "RFC 4291 2.7"),
    # Global unicast is 2000::/3; what lies outside is not given to anyone as a host's address.
    _row("::/3", "a reserved address", "IANA IPv6 address space"),
    _row("4000::/2", "a reserved address", "IANA IPv6 address space"),
    _row("8000::/1", "a reserved address", "IANA IPv6 address space"),
)

_ISATAP: Final = SpecialPrefix(ip_network("::/0"), "an ISATAP address", "RFC 5214 6.1")
"""In any prefix: its interface identifier is 0000:5efe or 0200:5efe before an IPv4 address."""
_ISATAP_IDENTIFIERS: Final = (0x0000_5EFE, 0x0200_5EFE)

_Masked = tuple[tuple[int, int, SpecialPrefix], ...]


def _masked(rows: tuple[SpecialPrefix, ...]) -> _Masked:
    return tuple((int(row.network.netmask), int(row.network.network_address), row) for row in rows)


_MASKED_IPV4: Final = _masked(SPECIAL_IPV4)
_MASKED_IPV6: Final = _masked(SPECIAL_IPV6)


def find_special(address: IPv4Address | IPv6Address) -> SpecialPrefix | None:
    """Return the first row that `address` belongs to, or None for one of the public internet."""
    number = int(address)
    table = _MASKED_IPV4 if address.version == 4 else _MASKED_IPV6
    for mask, network, row in table:
        if number & mask == network:
            return row
    if address.version == 6 and (number >> 32) & 0xFFFF_FFFF in _ISATAP_IDENTIFIERS:
        return _ISATAP
    return None


def embedded_ipv4(address: IPv4Address | IPv6Address) -> IPv4Address:
    """Return the IPv4 address in the last 32 bits."""
    return IPv4Address(int(address) & 0xFFFF_FFFF)
