"""One POST on one libcurl handle: how it is set up, what it takes in, what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pycurl

from tidings.domain.address import Endpoint
from tidings.domain.limits import (
    CONNECTION_IDLE_SECONDS,
    CONNECTION_LIFETIME_SECONDS,
    RESPONSE_BYTES,
    RESPONSE_HEADER_BYTES,
)
from tidings.ports import SendOutcome
from tidings.sender.guard import Guard, GuardedSocket
from tidings.sender.headers import read_head
from tidings.sender.transfers import Ended
from tidings.sender.verdict import Course, judge


class Exchange:
    """A handle that is used for one POST after the other; its connections outlive each."""

    def __init__(self, guard: Guard, ca_file: str, easy: Any) -> None:
        self._guarded_socket = GuardedSocket(guard)
        self._endpoint: Endpoint | None = None
        self._head: list[bytes] = []
        self._head_bytes = 0
        self._body = bytearray()
        self.easy = easy
        self._set_up(guard.policy.dev, ca_file)

    def _set_up(self, dev: bool, ca_file: str) -> None:
        set_option = self.easy.setopt
        set_option(pycurl.OPENSOCKETFUNCTION, self._guarded_socket)
        # libcurl must not resolve anything itself: every host is pinned, or the transfer fails.
        set_option(pycurl.RESOLVER_START_FUNCTION, lambda: 1)
        set_option(pycurl.PROTOCOLS, pycurl.PROTO_HTTPS | (pycurl.PROTO_HTTP if dev else 0))
        set_option(pycurl.REDIR_PROTOCOLS, 0)
        set_option(pycurl.FOLLOWLOCATION, 0)
        set_option(pycurl.PROXY, "")
        set_option(pycurl.NOPROXY, "*")
        set_option(pycurl.NETRC, pycurl.NETRC_IGNORED)
        set_option(pycurl.NOSIGNAL, 1)
        set_option(pycurl.PATH_AS_IS, 1)
        set_option(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        set_option(pycurl.MAXLIFETIME_CONN, CONNECTION_LIFETIME_SECONDS)
        set_option(pycurl.MAXAGE_CONN, CONNECTION_IDLE_SECONDS)
        set_option(pycurl.SSL_VERIFYPEER, 1)
        set_option(pycurl.SSL_VERIFYHOST, 2)
        set_option(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
        set_option(pycurl.CAINFO, ca_file)
        set_option(pycurl.HEADERFUNCTION, self._take_head)
        set_option(pycurl.WRITEFUNCTION, self._take_body)
        set_option(pycurl.POST, 1)

    def prepare(
        self,
        endpoint: Endpoint,
        addresses: Sequence[str],
        lines: Sequence[bytes],
        body: bytes,
        seconds: float,
    ) -> None:
        """Make the handle ready for one POST of `body` to `endpoint` at `addresses`.

        `seconds` are for everything from here on: connect, TLS, headers and body.
        """
        self._forget()
        self._endpoint = endpoint
        self.easy.setopt(pycurl.URL, endpoint.url)
        self.easy.setopt(pycurl.RESOLVE, [_pin(endpoint, addresses)])
        self.easy.setopt(pycurl.HTTPHEADER, lines)
        self.easy.setopt(pycurl.POSTFIELDS, body)
        self.easy.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1000)))

    def outcome(self, ended: Ended, elapsed_seconds: float) -> SendOutcome:
        """Return what came of the POST, and let go of it."""
        assert self._endpoint is not None
        headers = read_head(self._head)
        course = Course(
            endpoint=self._endpoint,
            status=None if headers is None else self.easy.getinfo(pycurl.RESPONSE_CODE),
            connected=self.easy.getinfo(pycurl.PRETRANSFER_TIME) > 0,
            refused=self._guarded_socket.refused,
            broken=self._guarded_socket.broken,
        )
        verdict = judge(ended, course)
        outcome = SendOutcome(
            status=course.status,
            headers=headers or {},
            body=bytes(self._body),
            error=verdict.error,
            unreachable=verdict.unreachable,
            elapsed_seconds=elapsed_seconds,
        )
        self._forget()
        return outcome

    def close(self) -> None:
        """Free the handle."""
        self.easy.close()

    def _forget(self) -> None:
        self._guarded_socket.forget()
        self._head.clear()
        self._head_bytes = 0
        self._body.clear()

    def _take_head(self, line: bytes) -> int:
        """Take in one line of the head, or of the trailers. Fewer bytes than given hang up."""
        self._head_bytes += len(line)
        if self._head_bytes > RESPONSE_HEADER_BYTES:
            return 0
        self._head.append(line)
        return len(line)

    def _take_body(self, piece: bytes) -> int:
        """Take in a piece of the body, up to RESPONSE_BYTES in all; past that, hang up."""
        room = RESPONSE_BYTES - len(self._body)
        self._body += piece[:room]
        return len(piece) if len(piece) <= room else 0


def _pin(endpoint: Endpoint, addresses: Sequence[str]) -> str:
    """Return the RESOLVE entry that gives libcurl the vetted addresses, and no others.

    With `+` it ages like an answer of DNS; it is renewed by every transfer to this name.
    """
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    pinned = (f"[{address}]" if ":" in address else address for address in addresses)
    return f"+{host}:{endpoint.port}:{','.join(pinned)}"
