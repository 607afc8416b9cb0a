"""A server that answers by script, and a client of it in either colour."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, cast

import httpx

from tidings.client import AsyncClient, Client, Patience

Answer = httpx.Response | Exception | Callable[[], Exception]


class Awaited:
    """An asynchronous client as a blocking one: each of its calls is run to its end."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            made = method(*args, **kwargs)
            return asyncio.run(made if inspect.iscoroutine(made) else _listed(made))

        return call


async def _listed(yielded: Any) -> list[Any]:
    return [one async for one in yielded]


class Server:
    """Answers by script, and keeps what it was sent; `blocking` says by which client."""

    blocking = True

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[httpx.Request] = []
        self.bodies: list[bytes] = []
        self.pauses: list[float] = []
        self._answers = iter(answers)

    def client(self, *, patience: Patience | None = None, pauses: bool = True) -> Client:
        """Return a client of this server; its pauses take no time and are kept."""
        patience = patience or Patience(total_seconds=100, first_seconds=1, longest_seconds=4)
        transport = httpx.MockTransport(self._answer)
        where = ("http://server.test", "tdg_key")
        if self.blocking:
            pause = self.pauses.append if pauses else None
            return Client(*where, pause=pause, patience=patience, transport=transport)
        sleep = self._pause if pauses else None
        client = AsyncClient(*where, pause=sleep, patience=patience, transport=transport)
        return cast("Client", Awaited(client))

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.bodies.append(request.read())
        answer = next(self._answers)
        if callable(answer):
            answer = answer()
        if isinstance(answer, Exception):
            raise answer
        return answer


RECEIPT = {"accepted": 1, "suppressed": 0, "batch_id": "b", "first_position": 5, "new": "field"}
LOST = httpx.ReadError("connection lost")
AWAY = httpx.ConnectError("refused")


def busy(status: int = 503, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, json={"detail": "busy"})
