"""What decides about an address: before a transfer, and again at every new connection (S1)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

import pycurl

from tidings.domain.address import AddressPolicy, why_forbidden

_JUDGED_ADDRESSES = 4_096
"""Judgements that are kept; the list of own addresses is part of the question."""


class CurlAddress(Protocol):
    """What libcurl is about to connect to, as pycurl hands it over."""

    @property
    def family(self) -> int: ...
    @property
    def socktype(self) -> int: ...
    @property
    def protocol(self) -> int: ...
    @property
    def addr(self) -> Sequence[object]: ...


class HandedSocket(socket.socket):
    """A socket of which pycurl takes a duplicate: its own end goes with the last reference."""

    def __del__(self) -> None:
        self.close()


class Guard:
    """One server's policy and its own addresses."""

    def __init__(self, policy: AddressPolicy, own: Callable[[], frozenset[str]]) -> None:
        self.policy = policy
        self._own = own
        self._judge = lru_cache(_JUDGED_ADDRESSES)(
            lambda address, own: why_forbidden(address, policy, own)
        )

    def forbids(self, address: str) -> bool:
        """Return whether nothing may be sent to this address."""
        return self._judge(address, self._own()) is not None

    def open_socket(self, address: CurlAddress) -> socket.socket | None:
        """Return a socket for a new connection to `address`, or None if it is forbidden.

        Raises OSError where no socket can be made.
        """
        if address.family not in (socket.AF_INET, socket.AF_INET6):
            return None
        if self.forbids(str(address.addr[0])):
            return None
        return HandedSocket(address.family, address.socktype, address.protocol)


class GuardedSocket:
    """libcurl's OPENSOCKETFUNCTION of one handle; remembers why it said no.

    It is not called for a connection that is reused: hence those live a minute at most.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.refused = False
        self.broken = False
        """No socket could be had (too many open files): our fault, not the endpoint's."""

    def forget(self) -> None:
        """Begin another transfer."""
        self.refused = False
        self.broken = False

    def __call__(self, _purpose: int, address: CurlAddress) -> socket.socket | int:
        """Return a socket, or SOCKET_BAD. Catches everything: pycurl would print it (S3)."""
        try:
            opened = self._guard.open_socket(address)
        except Exception:  # noqa: BLE001 - whatever it is, there is no connection
            self.broken = True
            return int(pycurl.SOCKET_BAD)
        if opened is None:
            self.refused = True
            return int(pycurl.SOCKET_BAD)
        return opened
