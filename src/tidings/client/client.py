"""The client for threads: each call of the API, blocking."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import httpx

from tidings.client import publish_calls, sheet_calls, webhook_calls
from tidings.client.messages import Webhook
from tidings.client.methods import as_method
from tidings.client.patience import Patience, Rests, conversation
from tidings.client.request import Request
from tidings.client.transport import Server, Transport
from tidings.clock import SystemClock

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(call: Callable[P, Request[T]]) -> Callable[Concatenate[Client, P], T]:
    """Return a call as a method that does it."""

    @functools.wraps(call)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.send(call(*args, **kwargs))

    return as_method(method, call)


class Client:
    """A server's API with one key, synchronous. Use it in a `with`, or close it.

    Lost connections and answers of 429 and 503 are repeated where that is safe, as long as
    `patience` allows; `pause` waits in between, where a test is to do that. Raises the errors of
    `tidings.errors`; InvalidArgument for a URL or a key that can't be one.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        pause: Callable[[float], None] | None = None,
        patience: Patience | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        clock = SystemClock()
        self._transport = Transport(Server(url, key), clock, pause or clock.pause, transport)
        self._patience = patience or Patience()
        self._rests = Rests(clock.monotonic)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Twice is fine."""
        self._transport.close()

    def send(self, request: Request[T], *, patience: Patience | None = None) -> T:
        """Do one call, with a patience of its own if one is given."""
        steps = conversation(request, patience or self._patience, self._rests)
        return self._transport.play(request, steps)

    create_webhook = _blocking(webhook_calls.create_webhook)
    get_webhook = _blocking(webhook_calls.get_webhook)
    list_webhooks = _blocking(webhook_calls.list_webhooks)
    update_webhook = _blocking(webhook_calls.update_webhook)
    delete_webhook = _blocking(webhook_calls.delete_webhook)
    list_events = _blocking(webhook_calls.list_events)
    rotate_secret = _blocking(webhook_calls.rotate_secret)

    publish = _blocking(publish_calls.publish)
    publish_changes = _blocking(publish_calls.publish_changes)
    publish_lines = _blocking(publish_calls.publish_lines)
    register_application = _blocking(publish_calls.register_application)
    health = _blocking(publish_calls.health)
    readiness = _blocking(publish_calls.readiness)

    create_sheet_webhook = _blocking(sheet_calls.create_sheet_webhook)
    get_sheet_webhook = _blocking(sheet_calls.get_sheet_webhook)
    list_sheet_webhooks = _blocking(sheet_calls.list_sheet_webhooks)
    update_sheet_webhook = _blocking(sheet_calls.update_sheet_webhook)
    delete_sheet_webhook = _blocking(sheet_calls.delete_sheet_webhook)
    reset_shared_secret = _blocking(sheet_calls.reset_shared_secret)
    disable_administratively = _blocking(sheet_calls.disable_administratively)
    enable_administratively = _blocking(sheet_calls.enable_administratively)

    def walk_webhooks(self, *, solution_id: str | None = None) -> Iterator[Webhook]:
        """Yield all webhooks, page by page."""
        token: str | None = None
        while True:
            page = self.list_webhooks(solution_id=solution_id, page_token=token)
            yield from page.webhooks
            token = page.next_page_token
            if not token:
                return
