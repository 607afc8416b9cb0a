"""Publishes at a steady rate and takes the pings: one process, so one clock sees both ends.

`python -m bench.probe`, a Probe as JSON on standard input, a Probed on standard output. A publish
counts from the moment when it was due, whether or not it could be sent then.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from typing import cast

import msgspec
import uvloop

from bench.receiver import Endpoint
from bench.traffic import Messages, publish_request
from tidings.clock import SystemClock

_CONNECTIONS = 16
_LAST_PINGS_SECONDS = 5.0


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What to publish where. `endpoint_port` is None where nothing is pinged."""

    port: int
    key: str
    solutions: Sequence[str]
    changes_per_second: float
    seconds: float
    endpoint_port: int | None


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from when a publish was due until its answer, and until its ping."""

    answered_ms: list[float]
    pinged_ms: list[float]
    missing: int


class _Connection(asyncio.Protocol):
    """Sends one publish at a time."""

    def __init__(self, idle: asyncio.Queue[_Connection]) -> None:
        self._idle = idle
        self._messages = Messages()
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._idle.put_nowait(self)

    def data_received(self, data: bytes) -> None:
        for head, _ in self._messages.take(data):
            if self._answer is not None:
                self._answer.set_result(head)

    async def send(self, request: bytes) -> None:
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        head = await self._answer
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
        self._idle.put_nowait(self)


class _Run:
    """One run: what was due when, and what became of it."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._clock = SystemClock()
        self._waiting: dict[str, float] = {}
        self._answered: list[float] = []
        self._pinged: list[float] = []

    async def run(self) -> Probed:
        loop, probe = asyncio.get_running_loop(), self._probe
        if probe.endpoint_port is not None:
            await loop.create_server(
                lambda: Endpoint(self._told, bytes), "127.0.0.1", probe.endpoint_port
            )
        idle: asyncio.Queue[_Connection] = asyncio.Queue()
        for _ in range(_CONNECTIONS):
            await loop.create_connection(lambda: _Connection(idle), "127.0.0.1", probe.port)
        requests = {name: publish_request(probe.key, name, 1) for name in probe.solutions}
        began = self._clock.monotonic()
        async with asyncio.TaskGroup() as publishes:
            for number in range(int(probe.changes_per_second * probe.seconds)):
                due = began + number / probe.changes_per_second
                await self._clock.sleep(max(0.0, due - self._clock.monotonic()))
                solution = probe.solutions[number % len(probe.solutions)]
                self._waiting.setdefault(solution, due)
                publishes.create_task(self._publish(await idle.get(), requests[solution], due))
        await self._last_pings()
        missing = len(self._waiting) if probe.endpoint_port is not None else 0
        return Probed(answered_ms=self._answered, pinged_ms=self._pinged, missing=missing)

    async def _publish(self, connection: _Connection, request: bytes, due: float) -> None:
        await connection.send(request)
        self._answered.append((self._clock.monotonic() - due) * 1000)

    async def _last_pings(self) -> None:
        ends_at = self._clock.monotonic() + _LAST_PINGS_SECONDS
        while self._waiting and self._clock.monotonic() < ends_at:
            if self._probe.endpoint_port is None:
                return
            await self._clock.sleep(0.01)

    def _told(self, body: bytes) -> None:
        solution = msgspec.json.decode(body)["locator"]["solutionId"]
        due = self._waiting.pop(solution, None)
        if due is not None:
            self._pinged.append((self._clock.monotonic() - due) * 1000)


def run_probe(probe: Probe) -> Probed:
    """Run a probe in its own process."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.probe"],
        input=msgspec.json.encode(probe),
        stdout=subprocess.PIPE,
        timeout=probe.seconds + 60,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Probed)


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Probe)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_Run(given).run())))
