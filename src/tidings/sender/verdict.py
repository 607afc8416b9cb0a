"""What came of a send, in sentences for the webhook's owner: no internal address, no trace."""

from __future__ import annotations

from typing import Final

import msgspec
import pycurl

from tidings.domain.address import Endpoint
from tidings.domain.limits import ERROR_LENGTH, RESPONSE_HEADER_BYTES
from tidings.sender.transfers import Ended

FORBIDDEN: Final = (
    "The host has an address that nothing is sent to (private, loopback, or of this server)."
    " Use a host with public addresses only."
)
"""Doesn't say which: else a name could be used to look at the server's network."""
CLOSED: Final = "The server was stopped before the endpoint answered."

_BROKEN_OFF: Final = "{where} closed the connection before it had answered."
_NOT_HTTP: Final = "{where} did not answer in HTTP/1.1."
_TOO_MUCH_HEAD: Final = f"{{where}} sent more than {RESPONSE_HEADER_BYTES} bytes of headers."
_TOO_LARGE: Final = 100
"""CURLE_TOO_LARGE, which pycurl has no name for: libcurl's own bounds of a head."""
_SENTENCES: Final = {
    pycurl.E_COULDNT_CONNECT: "No connection to {where} could be made.",
    pycurl.E_SSL_CONNECT_ERROR: "The TLS handshake with {where} failed.",
    pycurl.E_PEER_FAILED_VERIFICATION: "The certificate of {where} was refused: {words}.",
    pycurl.E_GOT_NOTHING: _BROKEN_OFF,
    pycurl.E_RECV_ERROR: _BROKEN_OFF,
    pycurl.E_SEND_ERROR: _BROKEN_OFF,
    pycurl.E_PARTIAL_FILE: _BROKEN_OFF,
    pycurl.E_UNSUPPORTED_PROTOCOL: _NOT_HTTP,
    pycurl.E_FTP_WEIRD_SERVER_REPLY: _NOT_HTTP,
    pycurl.E_WRITE_ERROR: _TOO_MUCH_HEAD,
    _TOO_LARGE: _TOO_MUCH_HEAD,
    pycurl.E_ABORTED_BY_CALLBACK: CLOSED,
}
_OTHERWISE: Final = "The transfer to {where} failed (libcurl {code})."


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a transfer beside libcurl's code."""

    endpoint: Endpoint
    status: int | None
    """None until a head that isn't interim has ended."""
    connected: bool
    """Ready to send: TLS done, where there is any."""
    refused: bool
    """The guard refused an address."""
    broken: bool
    """No socket could be had."""


class Verdict(msgspec.Struct, frozen=True):
    """`error` is None exactly where the endpoint acknowledged. See SendOutcome."""

    error: str | None
    unreachable: bool = False


def judge(ended: Ended, course: Course) -> Verdict:
    """Say what came of a transfer.

    A whole head with 2xx counts even if the body was cut off, by us or by the endpoint; not if
    it was still coming at the deadline (contract 1.6: over 25 s in all).
    """
    code, words = ended
    where = f"{course.endpoint.host}:{course.endpoint.port}"
    if code == pycurl.E_OPERATION_TIMEDOUT:
        if course.connected:
            return Verdict(f"{where} did not answer in time.")
        return Verdict(f"No connection to {where} could be made in time.", unreachable=True)
    if course.status is not None:
        return Verdict(_error_of(course.status))
    if course.refused:
        return Verdict(FORBIDDEN)
    if course.broken:
        return Verdict("The server had no socket left to send from.")
    sentence = _SENTENCES.get(code, _OTHERWISE).format(where=where, words=words, code=code)
    return Verdict(sentence[:ERROR_LENGTH], unreachable=code == pycurl.E_COULDNT_CONNECT)


def _error_of(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return (
            f"The endpoint answered {status}, and redirects are not followed: register the URL"
            " that it leads to."
        )
    return f"The endpoint answered {status}."
