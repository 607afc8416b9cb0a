"""The client for event loops: each call of the API, awaited."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from tidings.client import publish_calls, sheet_calls, webhook_calls
from tidings.client.messages import Webhook
from tidings.client.methods import as_method
from tidings.client.patience import Patience, Rests, conversation
from tidings.client.request import Request
from tidings.client.transport import AsyncTransport, Server
from tidings.clock import SystemClock

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    call: Callable[P, Request[T]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    """Return a call as a method that does it."""

    @functools.wraps(call)
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.send(call(*args, **kwargs))

    return as_method(method, call)


class AsyncClient:
    """A server's API with one key, asynchronous. Use it in an `async with`, or close it.

    Lost connections and answers of 429 and 503 are repeated where that is safe, as long as
    `patience` allows; `pause` waits in between, where a test is to do that. Raises the errors of
    `tidings.errors`; InvalidArgument for a URL or a key that can't be one.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        pause: Callable[[float], Awaitable[object]] | None = None,
        patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        clock = SystemClock()
        self._transport = AsyncTransport(Server(url, key), clock, pause or clock.sleep, transport)
        self._patience = patience or Patience()
        self._rests = Rests(clock.monotonic)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. Twice is fine."""
        await self._transport.close()

    async def send(self, request: Request[T], *, patience: Patience | None = None) -> T:
        """Do one call, with a patience of its own if one is given."""
        steps = conversation(request, patience or self._patience, self._rests)
        return await self._transport.play(request, steps)

    create_webhook = _awaited(webhook_calls.create_webhook)
    get_webhook = _awaited(webhook_calls.get_webhook)
    list_webhooks = _awaited(webhook_calls.list_webhooks)
    update_webhook = _awaited(webhook_calls.update_webhook)
    delete_webhook = _awaited(webhook_calls.delete_webhook)
    list_events = _awaited(webhook_calls.list_events)
    rotate_secret = _awaited(webhook_calls.rotate_secret)

    publish = _awaited(publish_calls.publish)
    publish_changes = _awaited(publish_calls.publish_changes)
    publish_lines = _awaited(publish_calls.publish_lines)
    register_application = _awaited(publish_calls.register_application)
    health = _awaited(publish_calls.health)
    readiness = _awaited(publish_calls.readiness)

    create_sheet_webhook = _awaited(sheet_calls.create_sheet_webhook)
    get_sheet_webhook = _awaited(sheet_calls.get_sheet_webhook)
    list_sheet_webhooks = _awaited(sheet_calls.list_sheet_webhooks)
    update_sheet_webhook = _awaited(sheet_calls.update_sheet_webhook)
    delete_sheet_webhook = _awaited(sheet_calls.delete_sheet_webhook)
    reset_shared_secret = _awaited(sheet_calls.reset_shared_secret)
    disable_administratively = _awaited(sheet_calls.disable_administratively)
    enable_administratively = _awaited(sheet_calls.enable_administratively)

    async def walk_webhooks(self, *, solution_id: str | None = None) -> AsyncIterator[Webhook]:
        """Yield all webhooks, page by page."""
        token: str | None = None
        while True:
            page = await self.list_webhooks(solution_id=solution_id, page_token=token)
            for webhook in page.webhooks:
                yield webhook
            token = page.next_page_token
            if not token:
                return
