"""Where notifications may be sent: which addresses, and which URLs (mechanics S1, S2).

The addresses are judged again for every new connection (mechanics S1); a URL is judged when it is
registered and again before each attempt. A URL is never handed on as it came: `Endpoint.url` is
built from the parts that were judged, so that no other parser can read another host out of it.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import msgspec

from tidings.domain.limits import HOST_LABEL_LENGTH, HOST_LENGTH, URL_LENGTH
from tidings.domain.special_addresses import Kind, embedded_ipv4, find_special
from tidings.errors import InvalidArgument

_UNSAFE_PORTS: Final = (
    "1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111"
    " 113 115 117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540"
    " 548 554 556 563 587 601 636 989 990 993 995 1719 1720 1723 2049 3659 4045 4190 5060 5061"
    " 6000 6566 6665 6666 6667 6668 6669 6679 6697 10080"
)
UNSAFE_PORTS: Final = frozenset(int(port) for port in _UNSAFE_PORTS.split())
"""Ports on which browsers refuse HTTP, for the same reason: a POST there speaks to a mail server
or the like (WHATWG Fetch 2.9, port blocking)."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_OUTSIDE_URL: Final = re.compile(r"[^A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT: Final = re.compile(r"[0-9]{1,5}")


class AddressPolicy(msgspec.Struct, frozen=True):
    """What a server may send to. `dev` opens loopback, http:// and every port, nothing else."""

    dev: bool = False


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A URL, taken apart and found good."""

    scheme: str
    host: str
    """A name in lower case, or an address in its shortest form, without brackets."""
    port: int
    target: str
    """Path and query as they were given; at least `/`."""
    is_address: bool
    """The host is an address, not a name."""
    url: str
    """The one to send to: made of the parts above."""


def why_forbidden(
    address: str, policy: AddressPolicy, own: frozenset[str] = frozenset()
) -> str | None:
    """Return what `address` is, if nothing may be sent to it ("a private address"), or None.

    `own` holds the addresses of this host's interfaces, each as `str(ip_address(...))` has it
    (mechanics S2). What is no IP address, or has a zone, is forbidden too.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return "not an IP address"
    if isinstance(parsed, IPv6Address) and parsed.scope_id is not None:
        return "an address with a zone"
    return _why_forbidden(parsed, policy, own)


def _why_forbidden(
    address: IPv4Address | IPv6Address, policy: AddressPolicy, own: frozenset[str]
) -> str | None:
    special = find_special(address)
    if special is not None and special.kind is Kind.LOOPBACK:
        return None if policy.dev else special.what
    if str(address) in own:
        return "an address of this server"
    if special is None:
        return None
    if special.kind is Kind.EMBEDDED:
        return _why_embedded_forbidden(address, policy, own)
    return special.what


def _why_embedded_forbidden(
    address: IPv4Address | IPv6Address, policy: AddressPolicy, own: frozenset[str]
) -> str | None:
    """Judge by the IPv4 address inside, and never find more open than there.

    A mapped address is the kernel's other spelling of IPv4, so dev opens mapped loopback; behind
    NAT64 loopback would be a translator's.
    """
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    return _why_forbidden(embedded_ipv4(address), policy if mapped else AddressPolicy(), own)


def parse_endpoint(url: str, policy: AddressPolicy, *, argument: str = "url") -> Endpoint:
    """Take a URL apart and judge it by everything that can be known without asking DNS.

    Raises InvalidArgument, naming `argument`, with a sentence that says what to do. Stricter than
    RFC 3986 and WHATWG URL where parsers differ: nothing is repaired or guessed.
    """
    try:
        return _parse(url, policy)
    except _Refused as refused:
        raise InvalidArgument(argument, str(refused)) from None


class _Refused(ValueError):
    """A sentence for the one who gave the URL."""


def _parse(url: str, policy: AddressPolicy) -> Endpoint:
    _check_text(url)
    scheme, authority, target = _split(url)
    if scheme == "http" and not policy.dev:
        raise _Refused("The URL must start with https://.")
    host_text, port_text = _split_authority(authority)
    port = _read_port(port_text, scheme, policy)
    if host_text.startswith("["):
        literal: IPv4Address | IPv6Address | None = _read_ipv6(host_text)
    else:
        literal = _read_ipv4(host_text)
    host = _check_name(host_text, policy) if literal is None else str(literal)
    if literal is not None:
        what = _why_forbidden(literal, policy, frozenset())
        if what is not None:
            raise _Refused(f"Nothing is sent to {host}: it is {what}. Use a public host.")
    shown = f"[{host}]" if ":" in host else host
    if port != _DEFAULT_PORTS[scheme]:
        shown = f"{shown}:{port}"
    return Endpoint(
        scheme=scheme,
        host=host,
        port=port,
        target=target,
        is_address=literal is not None,
        url=f"{scheme}://{shown}{target}",
    )


def _check_text(url: str) -> None:
    if not url:
        raise _Refused("Give a URL that starts with https://.")
    if len(url) > URL_LENGTH:
        raise _Refused(f"The URL has {len(url)} characters; at most {URL_LENGTH} are allowed.")
    outside = _OUTSIDE_URL.search(url)
    if outside is not None:
        raise _Refused(
            f"The URL has a character at place {outside.start() + 1} that URLs may not have."
            " Write it percent-encoded, or as punycode (xn--) in a host name."
        )
    if "#" in url:
        raise _Refused("Leave out the # and what follows: a fragment is never sent.")


def _split(url: str) -> tuple[str, str, str]:
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _DEFAULT_PORTS:
        raise _Refused("The URL must start with https://.")
    end = min((place for place in (rest.find("/"), rest.find("?")) if place >= 0), default=None)
    authority = rest[:end]
    target = "" if end is None else rest[end:]
    if not target.startswith("/"):
        target = f"/{target}"
    if "@" in authority:
        raise _Refused("Leave the user name and password out of the URL.")
    return scheme, authority, target


def _split_authority(authority: str) -> tuple[str, str | None]:
    """Split host and port. None: no port was given."""
    if authority.startswith("["):
        inside, closed, rest = authority.partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise _Refused("An IPv6 address stands in brackets, with only :port behind them.")
        return inside + closed, rest[1:] if rest else None
    host, colon, port = authority.partition(":")
    return host, port if colon else None


def _read_port(text: str | None, scheme: str, policy: AddressPolicy) -> int:
    if text is None:
        return _DEFAULT_PORTS[scheme]
    if not _PORT.fullmatch(text) or not 1 <= int(text) <= 65_535:
        raise _Refused("The port must be a whole number from 1 to 65535.")
    port = int(text)
    if port in UNSAFE_PORTS and not policy.dev:
        raise _Refused(f"Port {port} belongs to another protocol than HTTP. Use 443.")
    return port


def _read_ipv6(bracketed: str) -> IPv6Address:
    text = bracketed[1:-1]
    if "%" in text:
        raise _Refused("Leave the zone (from the % on) out of the IPv6 address.")
    try:
        return IPv6Address(text)
    except ValueError:
        raise _Refused("What stands in brackets is not an IPv6 address.") from None


def _read_ipv4(host: str) -> IPv4Address | None:
    """Return the address, or None for a name.

    A host whose last label is a number is an address to one parser or another (`127.1`,
    `0x7f.1`, `2130706433`, `0177.0.0.1`), so only the one spelling that all agree on is taken.
    """
    if not _NUMBER.fullmatch(host.lower().removesuffix(".").rpartition(".")[2]):
        return None
    try:
        return IPv4Address(host)
    except ValueError:
        raise _Refused(
            "Write an IPv4 address as four decimal numbers, such as 192.0.2.1; a name may not"
            " end in a number."
        ) from None


def _check_name(host: str, policy: AddressPolicy) -> str:
    name = host.lower()
    if not name:
        raise _Refused("The URL has no host. Write it as https://host/path.")
    if len(name) > HOST_LENGTH:
        raise _Refused(f"The host has {len(name)} characters; at most {HOST_LENGTH} are allowed.")
    if name.endswith("."):
        raise _Refused("Leave out the dot at the end of the host.")
    labels = name.split(".")
    for label in labels:
        if not _LABEL.fullmatch(label) or len(label) > HOST_LABEL_LENGTH:
            raise _Refused(
                "The host is not a name: its parts are 1 to 63 letters, digits or hyphens, with"
                " dots between them."
            )
    if labels[-1] == "localhost" and not policy.dev:
        raise _Refused("Nothing is sent to localhost. Use a public host.")
    if len(labels) == 1 and not policy.dev:
        raise _Refused("Write the host's whole name, with its domain.")
    return name
