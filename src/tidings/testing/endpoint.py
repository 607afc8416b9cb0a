"""A webhook's endpoint for tests: a real server on loopback that answers by script.

    async with ScriptedEndpoint() as endpoint:
        endpoint.script(Answer(status=500), Answer())
        ...
        first, second = await endpoint.received(2)

It speaks just enough HTTP/1.1 to take requests in, and answers whatever it is told to, also what
no HTTP server would.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType

import msgspec

_CHUNK = 64 * 1024
_WAIT_SECONDS = 20.0
_BACKLOG = 1_024
"""Connections that may wait to be accepted: a full queue costs the next a second."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it came."""

    method: str
    target: str
    head: bytes
    """Request line and headers, raw."""
    headers: Mapping[str, str]
    """Names in lower case; of several the last."""
    body: bytes
    connection: int
    """Which of the endpoint's connections it came over: 1, 2, …"""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What to answer. The default is what a good receiver says: 200 and nothing."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    raw: bytes | None = None
    """Sent as it is, instead of status line and headers; then the connection is closed."""
    after: asyncio.Event | None = None
    """Answer only once this is set."""
    drip_seconds: float = 0.0
    """Wait this long before each byte of the body."""
    endless_bytes: int = 0
    """Send a body of so many zeros, as fast as they are taken."""
    close_after: int | None = None
    """Close the connection after so many bytes of the answer (0: without one)."""


Responder = Callable[[Received], Answer]


class ScriptedEndpoint:
    """Listens on 127.0.0.1 at a free port while it is entered.

    Answers come from `script` in turn, then from `answer` (an Answer, or a function of the
    request). `requests` are those that came in whole.
    """

    def __init__(
        self, answer: Answer | Responder | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.answer: Answer | Responder = answer or Answer()
        self.requests: list[Received] = []
        self.connections = 0
        """Accepted so far."""
        self.open = 0
        """Open now."""
        self.port = 0
        self._script: deque[Answer] = deque()
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> ScriptedEndpoint:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._protocol, "127.0.0.1", 0, ssl=self._tls, backlog=_BACKLOG
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def url(self, path: str = "/hook", *, host: str = "127.0.0.1") -> str:
        """Return the URL to register. `host` may be a name that leads here."""
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{host}:{self.port}{path}"

    def script(self, *answers: Answer) -> None:
        """Give the next requests these answers, one each."""
        self._script.extend(answers)

    async def received(self, count: int) -> list[Received]:
        """Return the requests so far, once there are at least `count` of them."""
        await self._until(lambda: len(self.requests) >= count)
        return list(self.requests)

    async def hung_up(self) -> None:
        """Return once no connection is open."""
        await self._until(lambda: self.open == 0)

    async def connected(self, count: int) -> None:
        """Return once `count` connections were accepted, whatever came over them."""
        await self._until(lambda: self.connections >= count)

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(_WAIT_SECONDS), self._changed:
            await self._changed.wait_for(condition)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _protocol(self) -> _Connection:
        return _Connection(asyncio.StreamReader(), self._accept)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connection = writer.transport.get_protocol()
        assert isinstance(connection, _Connection)
        connection.served_by = task
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        number = self.connections
        try:
            await self._notify()
            # Cancelled where the client has hung up: asyncio would report that as a fault.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                goes_on = True
                while goes_on:
                    request = await _read_request(number, reader)
                    self.requests.append(request)
                    await self._notify()
                    goes_on = await _speak(self._next_answer(request), writer)
        finally:
            writer.close()
            self.open -= 1
            self._tasks.discard(task)
            await self._notify()

    def _next_answer(self, request: Received) -> Answer:
        if self._script:
            return self._script.popleft()
        return self.answer if isinstance(self.answer, Answer) else self.answer(request)


class _Connection(asyncio.StreamReaderProtocol):
    """A connection whose answer ends when the client hangs up, however slow that answer is."""

    served_by: asyncio.Task[None] | None = None

    def eof_received(self) -> bool:
        super().eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.served_by is not None:
            self.served_by.cancel()


async def _read_request(connection: int, reader: asyncio.StreamReader) -> Received:
    head = await reader.readuntil(b"\r\n\r\n")
    request_line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = request_line.split(" ", 2)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Received(
        method=method,
        target=target,
        head=head,
        headers=headers,
        body=await reader.readexactly(int(headers.get("content-length", "0"))),
        connection=connection,
    )


async def _speak(answer: Answer, writer: asyncio.StreamWriter) -> bool:
    """Give one answer; return whether the connection may be used again."""
    if answer.after is not None:
        await answer.after.wait()
    head = answer.raw if answer.raw is not None else _head_of(answer)
    if answer.close_after is not None:
        await _write(writer, (head + answer.body)[: answer.close_after])
        return False
    await _write(writer, head)
    if answer.drip_seconds:
        for place in range(len(answer.body)):
            await asyncio.sleep(answer.drip_seconds)
            await _write(writer, answer.body[place : place + 1])
    else:
        await _write(writer, answer.body)
    for _ in range(0, answer.endless_bytes, _CHUNK):
        await _write(writer, bytes(_CHUNK))
    return answer.raw is None


def _head_of(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} Scripted"]
    names = {name.lower() for name, _ in answer.headers}
    if "content-length" not in names and "transfer-encoding" not in names:
        lines.append(f"Content-Length: {len(answer.body) + answer.endless_bytes}")
    lines += [f"{name}: {value}" for name, value in answer.headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
