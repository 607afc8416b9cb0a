"""Reading this host's own addresses from the kernel's tables."""

from __future__ import annotations

import socket

from tidings.clock import SystemClock
from tidings.sender.own_addresses import OwnAddresses, ipv4_of, ipv6_of

FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.0
           /24 link UNICAST
        |-- 192.0.2.2
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
Local:
        |-- 192.0.2.2
           /32 host LOCAL
"""
IF_INET6 = """\
fd000000000000000000000000000002 04 40 00 82     eth0
00000000000000000000000000000001 01 80 10 80       lo
"""


def test_only_addresses_that_are_this_hosts_are_taken_from_the_routing_trie() -> None:
    assert ipv4_of(FIB_TRIE) == {"127.0.0.1", "192.0.2.2"}
    assert ipv4_of("") == frozenset()


def test_ipv6_addresses_are_taken_in_their_shortest_form() -> None:
    assert ipv6_of(IF_INET6) == {"fd00::2", "::1"}
    assert ipv6_of("") == frozenset()


def test_the_address_that_this_host_listens_on_is_among_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert listening.getsockname()[0] in OwnAddresses(SystemClock()).current()
