"""Group commit for whoever waits: what comes while one commit runs goes into the next.

Without a timer: at rest a value goes alone and at once, under load the commit's cost is shared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from tidings.errors import TidingsError

T = TypeVar("T")
R = TypeVar("R")


class Gathering(Generic[T, R]):
    """Hands values over in groups of at most `largest`, one group at a time, in their order."""

    def __init__(
        self, commit: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, largest: int
    ) -> None:
        self._commit = commit
        self._largest = largest
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._running: asyncio.Task[None] | None = None

    def put(self, value: T) -> asyncio.Future[R]:
        """Return what the commit will return for this value, or raise what failed its group."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((value, future))
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())
        return future

    async def ended(self) -> None:
        """Return once nothing is under way."""
        while self._running is not None:
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        try:
            while self._waiting:
                group = self._waiting[: self._largest]
                del self._waiting[: self._largest]
                await self._hand_over(group)
        finally:
            self._running = None

    async def _hand_over(self, group: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._commit([value for value, _ in group])
        except Exception as error:  # noqa: BLE001 - handed to every caller of the group
            known = isinstance(error, TidingsError)
            for _, future in group:
                if not future.done():
                    future.set_exception(error if known else RuntimeError(str(error)))
            return
        for (_, future), result in zip(group, results, strict=True):
            if not future.done():  # its caller was cancelled; the commit stands
                future.set_result(result)
