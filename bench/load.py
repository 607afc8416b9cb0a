"""A load: many connections that each send a request, wait for its answer, and send the next.

A process of its own (`python -m bench.load`, a Load as JSON on standard input, a Loaded on
standard output), on asyncio's protocols and uvloop, with requests that are bytes beforehand: it
costs about 15 µs a small request on the core that the server doesn't use, told as `cpu_seconds`.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from typing import cast

import msgspec
import uvloop

from bench.traffic import Messages
from tidings.clock import SystemClock

_MARGIN_SECONDS = 30.0
"""Past its time a load is given up: a server that hangs must not hang the benchmark."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to send, and for how long. Connection n begins with request n, and takes turns."""

    port: int
    connections: int
    seconds: float
    requests: Sequence[bytes]
    stride: int = 1
    """With as many as there are connections no request is sent twice."""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    answered: int
    failed: int
    seconds: float
    cpu_seconds: float


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, load: Load, first: int, clock: SystemClock, ends_at: float) -> None:
        self.answered = 0
        self.failed = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = load.requests
        self._next = first
        self._stride = load.stride
        self._clock = clock
        self._ends_at = ends_at
        self._messages = Messages()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        for head, _ in self._messages.take(data):
            if head.startswith(b"HTTP/1.1 200"):
                self.answered += 1
            else:
                self.failed += 1
            if self._clock.monotonic() < self._ends_at:
                self._send()
            else:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def _send(self) -> None:
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += self._stride


async def _run(load: Load) -> Loaded:
    clock = SystemClock()
    loop = asyncio.get_running_loop()
    began = clock.monotonic()
    clients: list[_Client] = []
    for number in range(load.connections):
        made = partial(_Client, load, number, clock, began + load.seconds)
        _, client = await loop.create_connection(made, "127.0.0.1", load.port)
        clients.append(client)
    async with asyncio.timeout(load.seconds + _MARGIN_SECONDS):
        await asyncio.gather(*(client.ended for client in clients))
    times = os.times()
    return Loaded(
        answered=sum(client.answered for client in clients),
        failed=sum(client.failed for client in clients),
        seconds=clock.monotonic() - began,
        cpu_seconds=times.user + times.system,
    )


def run_load(load: Load) -> Loaded:
    """Run a load in its own process. Raises CalledProcessError or TimeoutExpired."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=msgspec.json.encode(load),
        stdout=subprocess.PIPE,
        timeout=load.seconds + 2 * _MARGIN_SECONDS,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Loaded)


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(given))))
