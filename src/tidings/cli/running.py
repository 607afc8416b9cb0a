"""What runs inside a server's event loop beside its HTTP server."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidings.api.unavailable import respond_unavailable
from tidings.engine.worker import Worker, run_worker
from tidings.ports import Clock

_T = TypeVar("_T")


class EndedEarly(Exception):
    """The process was told to end before it had started."""


async def unless_ended(ending: asyncio.Event, work: Coroutine[Any, Any, _T]) -> _T:
    """Do a part of a start, however long it takes; where `ending` is set first, it is cancelled.

    Raises EndedEarly then, and what the work raises.
    """
    doing, told = asyncio.create_task(work), asyncio.create_task(ending.wait())
    try:
        await asyncio.wait([doing, told], return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        doing.cancel()  # it may be done, and stays so
        await asyncio.wait([doing])
    if doing.cancelled():
        raise EndedEarly
    return doing.result()


class Running:
    """Workers in their loops, until they are stopped."""

    def __init__(self, workers: Sequence[Worker], clock: Clock) -> None:
        self._stop = asyncio.Event()
        self._workers = workers
        self._tasks = [
            asyncio.create_task(run_worker(worker, clock, self._stop), name=worker.name)
            for worker in workers
        ]

    async def stop(self) -> None:
        """Let each end its round, and return."""
        self._stop.set()
        for worker in self._workers:
            worker.wake.set()
        await asyncio.gather(*self._tasks)


class CutShort:
    """Answers 503 for a request that is still open when the drain's time is over.

    Only the HTTP server cancels a request, and only then; what was to be appended may be durable
    or not, as after a lost connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        answered = False

        async def watched(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except asyncio.CancelledError:
            if not answered:
                await respond_unavailable(scope, send, "the server is stopping; send this again")
