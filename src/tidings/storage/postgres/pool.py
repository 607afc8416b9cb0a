"""A pool of connections, of what we need of one: asyncpg's own costs a tenth of a small page."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import asyncpg

from tidings.domain import limits
from tidings.errors import StorageUnavailable
from tidings.storage.postgres.failures import closed


class Closable(Protocol):
    """What a pool needs to know of a connection."""

    def is_closed(self) -> bool:
        """Whether it is of no use any more."""

    async def close(self) -> None:
        """Hang up."""


C = TypeVar("C", bound=Closable)


class Pool(Generic[C]):
    """Lends connections, the last one given back first; those who wait for one come in turn.

    Opened when they are needed, `size` at most, and kept until the pool is closed, or they are.
    """

    def __init__(self, size: int, connect: Callable[[], Awaitable[C]]) -> None:
        self._connect = connect
        self._free = size
        self._idle: list[C] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._lent = 0
        self._all_back = asyncio.Event()
        self._closed = False

    async def take(self) -> C:
        """Return a connection that is the caller's until it is given back.

        Raises StorageUnavailable where none becomes free in time, StorageClosed, and what
        connecting does.
        """
        if self._free:
            self._free -= 1
        else:
            await self._turn()
        if self._closed:
            self._hand_on()
            raise closed()
        self._lent += 1
        try:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    return connection
            return await self._connect()
        except BaseException:
            self._returned()
            raise

    def give_back(self, connection: C) -> None:
        """Take back a connection that nothing is open on."""
        if not connection.is_closed():
            self._idle.append(connection)
        self._returned()

    async def close(self) -> None:
        """Close all connections; those that are lent are waited for."""
        self._closed = True
        while self._lent:
            self._all_back.clear()
            await self._all_back.wait()
        while self._idle:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._idle.pop().close()

    async def _turn(self) -> None:
        """Wait until a place is handed on."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(limits.DATABASE_ACQUIRE_SECONDS):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                self._hand_on()  # it was given at the very moment when its taker gave up
            if isinstance(error, TimeoutError):
                sentence = "no connection to the database became free in time"
                raise StorageUnavailable(sentence) from error
            raise

    def _returned(self) -> None:
        self._lent -= 1
        if not self._lent:
            self._all_back.set()
        self._hand_on()

    def _hand_on(self) -> None:
        """Give a place to the first who still waits for one; without any it is free."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
