"""Which addresses nothing is sent to: by a table of cases, and against two other sources."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidings.domain.address import AddressPolicy, why_forbidden
from tidings.domain.special_addresses import SPECIAL_IPV4, SPECIAL_IPV6, Kind, SpecialPrefix

PRODUCTION = AddressPolicy()
DEV = AddressPolicy(dev=True)

ipv4_addresses = st.ip_addresses(v=4)
forbidden_ipv4 = ipv4_addresses.filter(lambda address: why_forbidden(str(address), PRODUCTION))


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.255", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("10.0.0.0", "private"),
        ("10.255.255.255", "private"),
        ("172.16.0.0", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.0", "private"),
        ("192.168.255.255", "private"),
        ("169.254.1.1", "link-local"),
        ("0.0.0.0", "unspecified"),
        ("0.255.255.255", "unspecified"),
        ("::", "unspecified"),
        ("100.64.0.0", "shared"),
        ("100.127.255.255", "shared"),
        ("192.0.0.1", "protocols"),
        ("192.0.2.1", "documentation"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.1", "documentation"),
        ("198.18.0.0", "benchmarks"),
        ("198.19.255.255", "benchmarks"),
        ("192.88.99.1", "6to4"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.254", "reserved"),
        ("255.255.255.255", "broadcast"),
        ("169.254.169.254", "cloud"),
        ("169.254.170.2", "cloud"),
        ("168.63.129.16", "cloud"),
        ("100.100.100.200", "cloud"),
        ("192.0.0.192", "cloud"),
        ("fd00:ec2::254", "cloud"),
        ("fd20:ce::254", "cloud"),
        ("fc00::1", "private"),
        ("fdff::1", "private"),
        ("fe80::1", "link-local"),
        ("febf::1", "link-local"),
        ("fec0::1", "site-local"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "documentation"),
        ("3fff::1", "documentation"),
        ("100::1", "discards"),
        ("5f00::1", "segment"),
        ("::808:808", "IPv4-compatible"),
        ("::ffff:0:808:808", "IPv4-translated"),
        ("::ffff:10.0.0.1", "private"),
        ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b::169.254.169.254", "cloud"),
        ("64:ff9b:1::8.8.8.8", "NAT64"),
        ("2002:808:808::1", "6to4"),
        ("2002:a00:1::1", "6to4"),
        ("2001::1", "Teredo"),
        ("2001:1::1", "protocols"),
        ("2606:4700::5efe:8.8.8.8", "ISATAP"),
        ("2606:4700::200:5efe:10.0.0.1", "ISATAP"),
        ("4000::1", "reserved"),
        ("1000::1", "reserved"),
        ("fe00::1", "reserved"),
        ("fe80::1%eth0", "zone"),
        ("2606:4700::1%1", "zone"),
        ("localhost", "not an IP address"),
        ("127.1", "not an IP address"),
        ("2130706433", "not an IP address"),
        ("010.0.0.1", "not an IP address"),
        ("", "not an IP address"),
    ],
)
def test_nothing_is_sent_to_a_special_address(address: str, what: str) -> None:
    said = why_forbidden(address, PRODUCTION)
    assert said is not None
    assert what in said


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"),
        *("126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255"),
        *("172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255"),
        *("198.20.0.0", "223.255.255.255", "168.63.129.15", "168.63.129.17"),
        *("2606:4700:4700::1111", "2a00:1450:4001::200e", "2001:200::1", "2003::1", "2001:db9::1"),
        *("::ffff:8.8.8.8", "64:ff9b::8.8.8.8"),
    ],
)
def test_the_neighbours_of_special_prefixes_stay_open(address: str) -> None:
    assert why_forbidden(address, PRODUCTION) is None


@given(st.ip_addresses())
@example(IPv4Address("192.0.0.192"))
def test_whatever_python_knows_to_be_special_is_forbidden(
    address: IPv4Address | IPv6Address,
) -> None:
    judged = address
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        judged = address.ipv4_mapped
    special = (
        judged.is_private
        or judged.is_loopback
        or judged.is_link_local
        or judged.is_multicast
        or judged.is_reserved
        or judged.is_unspecified
    )
    nat64 = int(judged) >> 32 == int(IPv6Address("64:ff9b::")) >> 32
    if special and not nat64:
        assert why_forbidden(str(address), PRODUCTION) is not None


@given(forbidden_ipv4)
@example(IPv4Address("169.254.169.254"))
@example(IPv4Address("127.0.0.1"))
@example(IPv4Address("168.63.129.16"))
def test_what_is_forbidden_stays_so_in_every_form_that_embeds_it(address: IPv4Address) -> None:
    number = int(address)
    for network in ("::ffff:0:0", "::", "64:ff9b::", "64:ff9b:1::", "::ffff:0:0:0"):
        assert why_forbidden(str(IPv6Address(int(IPv6Address(network)) | number)), PRODUCTION)
    six_to_four = int(IPv6Address("2002::")) | number << 80 | 1
    teredo = int(IPv6Address("2001::")) | number ^ 0xFFFF_FFFF
    assert why_forbidden(str(IPv6Address(six_to_four)), PRODUCTION)
    assert why_forbidden(str(IPv6Address(teredo)), PRODUCTION)
    for identifier in (0x0000_5EFE, 0x0200_5EFE):
        isatap = int(IPv6Address("2606:4700::")) | identifier << 32 | number
        assert why_forbidden(str(IPv6Address(isatap)), PRODUCTION)


@given(st.ip_addresses())
def test_dev_opens_loopback_and_nothing_else(address: IPv4Address | IPv6Address) -> None:
    in_production = why_forbidden(str(address), PRODUCTION)
    in_dev = why_forbidden(str(address), DEV)
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped
    if (mapped or address).is_loopback:
        assert in_dev is None
    else:
        assert in_dev == in_production


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "168.63.129.16", "fd00:ec2::254", "100.100.100.200"),
        *("::ffff:169.254.169.254", "64:ff9b::127.0.0.1", "::127.0.0.1", "0.0.0.0", "::"),
    ],
)
def test_dev_opens_neither_metadata_nor_other_spellings_of_this_host(address: str) -> None:
    assert why_forbidden(address, DEV) is not None


def test_this_hosts_own_public_addresses_are_forbidden_in_every_form() -> None:
    own = frozenset({"5.6.7.8", "2a00:1450::8", "127.0.0.1", "::1"})
    for address in ("5.6.7.8", "::ffff:5.6.7.8", "64:ff9b::5.6.7.8", "2A00:1450:0:0::8"):
        assert why_forbidden(address, PRODUCTION, own) == "an address of this server"
        assert why_forbidden(address, DEV, own) == "an address of this server"
    assert why_forbidden("5.6.7.9", PRODUCTION, own) is None
    assert why_forbidden("127.0.0.1", DEV, own) is None


@pytest.mark.parametrize("row", [*SPECIAL_IPV4, *SPECIAL_IPV6], ids=lambda row: str(row.network))
def test_each_row_forbids_its_whole_prefix_and_names_its_source(row: SpecialPrefix) -> None:

    assert row.source
    if row.kind is not Kind.EMBEDDED:
        assert why_forbidden(str(row.network[0]), PRODUCTION) is not None
        assert why_forbidden(str(row.network[-1]), PRODUCTION) is not None
