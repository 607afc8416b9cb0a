"""Reads beside the writer: small ones at once, page reads and tails in a few threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

import apsw

from tidings.domain import limits
from tidings.errors import StorageClosed
from tidings.storage.sqlite.connection import connect_reader
from tidings.storage.sqlite.failures import CLOSED, ours

P = ParamSpec("P")
T = TypeVar("T")


class Readers:
    """Read connections: one for the event loop's own thread, one for each thread of the pool."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._closed = False
        self._inline = connect_reader(path)
        self._idle = [connect_reader(path) for _ in range(limits.READER_THREADS)]
        self._pool = ThreadPoolExecutor(limits.READER_THREADS, thread_name_prefix="tidings-reader")

    def at_once(
        self,
        read: Callable[Concatenate[apsw.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a point read in the event loop: a hop to a thread would cost more than the read."""
        if self._closed:
            raise StorageClosed(CLOSED)
        with ours(self._path):
            return read(self._inline, *args, **kwargs)

    async def in_thread(
        self,
        read: Callable[Concatenate[apsw.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a read of more than a few rows in the pool, after those that came before it."""
        if self._closed:
            raise StorageClosed(CLOSED)

        def borrow() -> T:
            connection = self._idle.pop()  # as many connections as threads: one is always there
            try:
                with ours(self._path):
                    return read(connection, *args, **kwargs)
            finally:
                self._idle.append(connection)

        return await asyncio.get_running_loop().run_in_executor(self._pool, borrow)

    async def close(self) -> None:
        """Let running reads end, then close the connections. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)
        for connection in (self._inline, *self._idle):
            connection.close()
