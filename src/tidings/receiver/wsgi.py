"""The receiver as a WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Protocol

from tidings.receiver.request import Answer, Request, joined_headers

Environ = Mapping[str, Any]
_HEADER = "HTTP_"
_PIECE_BYTES = 64 * 1024


class Input(Protocol):
    """A body that is still to be read."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes; none at the end."""


def request_of(environ: Environ, max_bytes: int) -> Request:
    """Return the request of an environment, its body read as far as it may be."""
    return Request(
        method=environ["REQUEST_METHOD"],
        headers=joined_headers(list(_headers(environ))),
        body=_body(environ, max_bytes),
    )


def respond(answer: Answer, start_response: Callable[..., object]) -> Iterable[bytes]:
    """Give an answer to a WSGI server."""
    status = HTTPStatus(answer.status)
    headers = [*answer.headers, ("Content-Length", str(len(answer.body)))]
    start_response(f"{status.value} {status.phrase}", headers)
    return [answer.body]


def read_bounded(source: Input, wanted: int, max_bytes: int) -> bytes | None:
    """Read at most `wanted` bytes; None as soon as there are more than `max_bytes`."""
    pieces: list[bytes] = []
    size = 0
    while size < wanted and (piece := source.read(min(_PIECE_BYTES, wanted - size))):
        size += len(piece)
        if size > max_bytes:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _headers(environ: Environ) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if name.startswith(_HEADER):
            yield name.removeprefix(_HEADER).replace("_", "-"), value


def _body(environ: Environ, max_bytes: int) -> bytes | None:
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdecimal():
        wanted = int(length[:20])
        return (
            None if wanted > max_bytes else read_bounded(environ["wsgi.input"], wanted, max_bytes)
        )
    if environ.get("wsgi.input_terminated"):  # a body in chunks, whose end the server knows
        return read_bounded(environ["wsgi.input"], max_bytes + 1, max_bytes)
    return b""
