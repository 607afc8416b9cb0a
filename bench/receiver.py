"""An endpoint that acknowledges everything at once, and counts (`python -m bench.receiver`)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import cast

import msgspec
import uvloop

from bench.traffic import Messages
from tidings.clock import SystemClock

_ACKNOWLEDGED = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b"


class Seen(msgspec.Struct):
    """What has come since it was asked last; times are the machine's monotonic clock."""

    count: int = 0
    first_at: float = 0.0
    last_at: float = 0.0


class Endpoint(asyncio.Protocol):
    """One connection: each POST is acknowledged and told; a GET is answered by `asked`."""

    def __init__(self, told: Callable[[bytes], None], asked: Callable[[], bytes]) -> None:
        self._told = told
        self._asked = asked
        self._messages = Messages()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        for head, body in self._messages.take(data):
            if head.startswith(b"GET"):
                answer = self._asked()
                self._transport.write(_ANSWER % (len(answer), answer))
            else:
                self._transport.write(_ACKNOWLEDGED)
                self._told(body)


class Counter:
    """Counts pings until it is asked."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._seen = Seen()

    def told(self, _: bytes) -> None:
        """Count one."""
        self._seen.last_at = self._clock.monotonic()
        self._seen.first_at = self._seen.first_at or self._seen.last_at
        self._seen.count += 1

    def asked(self) -> bytes:
        """Return what was seen as JSON, and begin anew."""
        seen, self._seen = self._seen, Seen()
        return msgspec.json.encode(seen)


async def _run() -> None:
    counter = Counter(SystemClock())
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Endpoint(counter.told, counter.asked), "127.0.0.1", int(sys.argv[1]), backlog=1024
    )
    sys.stderr.write(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_run())
