"""libcurl and the network behind it, by script: production's own sender works on it unchanged.

Handles keep what they are told. To run one is to do by it what libcurl would: ask for a socket for
one address after the other, deliver the request, hand the answer over piece by piece. Sockets are
made and never connected, so that no byte leaves the process. Connections aren't kept here: each
request makes one, which is when the guard is asked.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pycurl

from tests.simulation.hosts import Hosts
from tidings.ports import SendOutcome, SendRequest
from tidings.sender.transfers import Ended

_WELL: Ended = (pycurl.E_OK, "")
_NO_CONNECTION: Ended = (pycurl.E_COULDNT_CONNECT, "")
_NO_HTTP: Ended = (pycurl.E_UNSUPPORTED_PROTOCOL, "")


class CurlAddress(msgspec.Struct, frozen=True):
    """An address as pycurl hands it to OPENSOCKETFUNCTION."""

    family: int
    addr: tuple[str, int]
    socktype: int = socket.SOCK_STREAM
    protocol: int = socket.IPPROTO_TCP


class Handle:
    """A `pycurl.Curl` that only takes note."""

    def __init__(self) -> None:
        self.options: dict[int, Any] = {}
        self.info: dict[int, float] = {}

    def setopt(self, option: int, value: Any) -> None:
        """Keep an option."""
        self.options[option] = value

    def getinfo(self, what: int) -> float:
        """Return what is known of the last run."""
        return self.info[what]

    def close(self) -> None:
        """Nothing is held."""


class Network:
    """Implements Libcurl."""

    def __init__(
        self, hosts: Hosts, deliver: Callable[[SendRequest], Awaitable[SendOutcome]]
    ) -> None:
        self.connected: Callable[[str], None] = lambda address: None
        """Told of each address to which a connection is made."""
        self._hosts = hosts
        self._deliver = deliver

    def handle(self) -> Handle:
        """Return a fresh handle."""
        return Handle()

    def close(self) -> None:
        """Nothing is held open."""

    async def run(self, easy: Handle) -> Ended:
        """Do what libcurl would; return its code."""
        easy.info = {pycurl.PRETRANSFER_TIME: 0.0, pycurl.RESPONSE_CODE: 0}
        addresses = _pinned(easy)
        self._hosts.about_to_connect(addresses)
        connection = self._connect(easy, addresses)
        if connection is None:
            return _NO_CONNECTION
        try:
            return await self._exchange(easy)
        finally:
            connection.close()

    async def _exchange(self, easy: Handle) -> Ended:
        easy.info[pycurl.PRETRANSFER_TIME] = 0.001
        outcome = await self._deliver(_request_of(easy))
        if outcome.status is None:
            return _NO_CONNECTION if outcome.unreachable else _NO_HTTP
        self._follow(easy, outcome)
        easy.info[pycurl.RESPONSE_CODE] = outcome.status
        take_head = easy.options[pycurl.HEADERFUNCTION]
        take_head(f"HTTP/1.1 {outcome.status} {HTTPStatus(outcome.status).phrase}\r\n".encode())
        for name, value in outcome.headers.items():
            take_head(f"{name}: {value}\r\n".encode())
        take_head(b"\r\n")
        easy.options[pycurl.WRITEFUNCTION](outcome.body)
        return _WELL

    def _connect(self, easy: Handle, addresses: Sequence[str]) -> socket.socket | None:
        """Connect to the first address that answers, as far as a socket is given for it."""
        open_socket = easy.options.get(pycurl.OPENSOCKETFUNCTION)
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            wanted = CurlAddress(family, (address, 443))
            opened = open_socket(0, wanted) if open_socket else socket.socket(family)
            if not isinstance(opened, socket.socket):
                continue
            self.connected(address)
            if address not in self._hosts.deaf:
                return opened
            opened.close()
        return None

    def _follow(self, easy: Handle, outcome: SendOutcome) -> None:
        """Go where an answer leads, if the handle says so: an address, since no name is pinned."""
        location = outcome.headers.get("location")
        if location and easy.options[pycurl.FOLLOWLOCATION]:
            connection = self._connect(easy, [str(urlsplit(location).hostname)])
            if connection is not None:
                connection.close()


def _pinned(easy: Handle) -> Sequence[str]:
    """Return the addresses of a RESOLVE entry, `+host:port:address,address`."""
    [entry] = easy.options[pycurl.RESOLVE]
    target = urlsplit(easy.options[pycurl.URL])
    host = f"[{target.hostname}]" if ":" in str(target.hostname) else target.hostname
    start = f"+{host}:{target.port or 443}:"
    assert entry.startswith(start), entry
    return [address.strip("[]") for address in entry.removeprefix(start).split(",")]


def _request_of(easy: Handle) -> SendRequest:
    """Return a request as its endpoint gets it."""
    lines = (line.decode("latin-1").partition(":") for line in easy.options[pycurl.HTTPHEADER])
    return SendRequest(
        account="",
        url=easy.options[pycurl.URL],
        headers=[(name, value.strip()) for name, colon, value in lines if colon and value],
        body=easy.options[pycurl.POSTFIELDS],
        deadline_seconds=easy.options[pycurl.TIMEOUT_MS] / 1000,
    )
