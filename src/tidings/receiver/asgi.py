"""The receiver as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

from tidings.domain.limits import RECEIVED_BODY_SECONDS
from tidings.receiver.decision import ACKNOWLEDGED, SLOW
from tidings.receiver.request import Answer, Request, joined_headers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Endpoint(Protocol):
    """What the application needs of a receiver."""

    max_body_bytes: int

    async def receive(self, request: Request) -> Answer:
        """Answer a request."""

    async def open(self) -> None:
        """Begin to work."""

    async def close(self) -> None:
        """End."""


class SenderGone(Exception):
    """The connection ended before the body did: nobody is left to answer."""


async def run(endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request, or follow the server's life. Raises RuntimeError for a WebSocket."""
    if scope["type"] == "lifespan":
        await _live(endpoint, receive, send)
    elif scope["type"] == "http":
        try:
            answer = await _answer(endpoint, scope, receive)
        except SenderGone:
            return
        await _respond(send, answer)
    else:
        raise RuntimeError(f"a receiver doesn't speak {scope['type']}")


async def _answer(endpoint: Endpoint, scope: Scope, receive: Receive) -> Answer:
    headers = _headers(scope["headers"])
    try:
        body = await read_body(headers.get("content-length", ""), receive, endpoint.max_body_bytes)
    except TimeoutError:
        return SLOW
    return await endpoint.receive(Request(method=scope["method"], headers=headers, body=body))


def _headers(given: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return a scope's headers, whose names are in lower case already."""
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in given}
    if len(found) == len(given):
        return found
    return joined_headers(
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in given]
    )


async def read_body(length: str, receive: Receive, max_bytes: int) -> bytes | None:
    """Read a body; None as soon as it is larger than `max_bytes`, which are all that is held.

    Raises SenderGone, and TimeoutError where it isn't whole RECEIVED_BODY_SECONDS after its first
    piece. Who sends no piece at all holds a connection and nothing else, as does who never ends
    the head: that is the server's to limit.
    """
    if length.isdecimal() and int(length[:20]) > max_bytes:
        return None
    piece, more = _piece(await receive())
    if more:
        async with asyncio.timeout(RECEIVED_BODY_SECONDS):
            return await _more_pieces(piece, receive, max_bytes)
    return piece if len(piece) <= max_bytes else None


async def _more_pieces(first: bytes, receive: Receive, max_bytes: int) -> bytes | None:
    pieces, size, more = [first], len(first), True
    while more and size <= max_bytes:
        piece, more = _piece(await receive())
        size += len(piece)
        pieces.append(piece)
    return b"".join(pieces) if size <= max_bytes else None


def _piece(message: Message) -> tuple[bytes, bool]:
    if message["type"] == "http.disconnect":
        raise SenderGone
    return message.get("body", b""), message.get("more_body", False)


async def _respond(send: Send, answer: Answer) -> None:
    # Made anew for each: what stands around this application may add to it.
    if answer is ACKNOWLEDGED:
        nothing = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": nothing})
        await send({"type": "http.response.body", "body": b""})
        return
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers
    ]
    headers.append((b"content-length", b"%d" % len(answer.body)))
    status = int(answer.status)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _live(endpoint: Endpoint, receive: Receive, send: Send) -> None:
    """Begin before the first request, and end after the last."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                await endpoint.open()
            except Exception as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                raise
            await send({"type": "lifespan.startup.complete"})
        else:
            await endpoint.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
