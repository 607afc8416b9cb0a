"""Writing a whole answer over plain ASGI."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import Message, Send


class Answering:
    """The way to send one answer, which gets headers that were decided upon before it began."""

    def __init__(self, send: Send) -> None:
        self.begun = False
        self.headers: list[tuple[bytes, bytes]] = []
        self._send = send

    async def __call__(self, message: Message) -> None:
        """Send a message of ASGI on."""
        if self.headers and not self.begun:
            message = {**message, "headers": [*message["headers"], *self.headers]}
        self.begun = True
        await self._send(message)


async def respond(
    send: Send,
    status: int,
    body: bytes,
    *,
    content_type: str = "application/json",
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """Write a status, its headers and a whole body."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type.encode()),
                (b"content-length", b"%d" % len(body)),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
