"""A wire to PostgreSQL that a test cuts at the worst moment: a proxy on this machine."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit


class CutWire:
    """Passes bytes between clients and a database; `url` is where clients find it."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._wires: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._fatal: bytes | None = None
        self._left: dict[bool, int | None] = {True: None, False: None}
        self.cuts = 0
        """Connections that were cut in mid-sentence."""

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.sever()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """The database's URL, through this wire."""
        user = self._parts.username
        return urlunsplit(self._parts._replace(netloc=f"{user}@127.0.0.1:{self._port}"))

    async def mend(self) -> None:
        """Accept connections, on the same port as before."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def sever(self) -> None:
        """Cut all connections, and refuse new ones."""
        if self._server is not None:
            self._server.close()
        for wire in tuple(self._wires):
            wire.transport.abort()
        self._wires.clear()

    def cut_answer_to(self, words: bytes) -> None:
        """Once: let these words through to the database, and its answer not."""
        self._fatal = words

    def cut_after(self, size: int | None, *, toward_database: bool) -> None:
        """Once: let so many more bytes through in one direction, and then nothing in either.

        None: let all through again.
        """
        self._left[toward_database] = size

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._parts.hostname is not None
        assert self._parts.port is not None
        there = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        self._wires |= {writer, there[1]}
        dead = asyncio.Event()
        ways = ((reader, there[1], writer, True), (there[0], writer, there[1], False))
        for source, sink, other, watched in ways:
            task = asyncio.create_task(self._pass_on(source, sink, other, dead, watched=watched))
            self._tasks.add(task)

    async def _pass_on(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        other: asyncio.StreamWriter,
        dead: asyncio.Event,
        *,
        watched: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                if watched and self._fatal is not None and self._fatal in data:
                    self._fatal = None
                    self.cuts += 1
                    dead.set()
                if dead.is_set() and not watched:
                    break  # the answer: what was asked for is done, and nobody hears of it
                whole, data = data, self._let_through(data, toward_database=watched)
                sink.write(data)
                await sink.drain()
                if data != whole:
                    self.cuts += 1
                    break
        # What was let through comes to be read: an abort might overtake it.
        for end in (sink, other):
            end.close()
            self._wires.discard(end)

    def _let_through(self, data: bytes, *, toward_database: bool) -> bytes:
        """Return what of this still may pass."""
        left = self._left[toward_database]
        if left is None:
            return data
        if left >= len(data):
            self._left[toward_database] = left - len(data)
            return data
        self._left[toward_database] = None
        return data[:left]
