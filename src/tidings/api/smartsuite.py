"""The SmartSuite webhook service over Twirp (contract 1.1 to 1.5).

`POST /smartsuite.webhooks.engine.Webhooks/<Method>`, JSON in and out, for servers only: no answer
carries a CORS header.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from tidings.api.auth import Authenticator, Principal
from tidings.api.body import read_body
from tidings.api.metering import Count, Meter
from tidings.api.responses import Answering, respond
from tidings.api.twirp import respond_bad_route, respond_twirp_error
from tidings.domain.key import Role
from tidings.domain.limits import RPC_BODY_BYTES
from tidings.domain.page_token import format_token
from tidings.domain.proto_json import Message, parse_message
from tidings.domain.webhook_messages import (
    EventListWish,
    print_rotation,
    print_webhook,
    read_event_list_wish,
    read_webhook_id,
    read_webhook_list_wish,
    read_webhook_wish,
)
from tidings.engine.listing import Listed, Listing
from tidings.engine.webhooks import Webhooks
from tidings.errors import UnsupportedMediaType
from tidings.ports import Clock

PREFIX = "/smartsuite.webhooks.engine.Webhooks/"

_Method = Callable[[Principal, Message], Awaitable[dict[str, Any]]]


class SmartSuite:
    """The service as an ASGI application; it is given every request under PREFIX."""

    def __init__(
        self,
        *,
        webhooks: Webhooks,
        listing: Listing,
        authenticator: Authenticator,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self._meter = meter
        self._webhooks = webhooks
        self._listing = listing
        self._authenticator = authenticator
        self._clock = clock
        self._methods: dict[str, _Method] = {
            "CreateWebhook": self._create,
            "GetWebhook": self._get,
            "GetWebhooks": self._get,
            "ListWebhooks": self._list,
            "UpdateWebhook": self._update,
            "DeleteWebhook": self._delete,
            "RotateSecret": self._rotate_secret,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong is told as Twirp does (contract 1.8)."""
        method = scope["path"].removeprefix(PREFIX)
        if scope["method"] != "POST":
            await respond_bad_route(send, "only POST is allowed")
        elif method != "ListEvents" and method not in self._methods:
            await respond_bad_route(send, "the service has no such method")
        else:
            await self._answer(method, scope, receive, send)

    async def _answer(self, method: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a method of the service; a page counts as read once it is written (D1)."""
        answering = Answering(send)
        try:
            answer = await self._run(method, scope, receive, self._meter.of(answering))
        except Exception as error:  # noqa: BLE001 - logged and told there
            await respond_twirp_error(scope, answering, error)
        else:
            if isinstance(answer, Listed):
                await respond(answering, 200, answer.body)
                self._listing.written(answer)
            elif answer is not None:
                await respond(answering, 200, msgspec.json.encode(answer))

    async def _run(
        self, method: str, scope: Scope, receive: Receive, count: Count
    ) -> Listed | dict[str, Any] | None:
        """Return a method's answer; None where nobody is there any more to have it.

        A request is counted before its body is read, and once, however long it waits (1.8).
        """
        principal = await self._authenticator.authenticate(scope, Role.SUBSCRIBER, count)
        _check_content_type(scope)
        raw = await read_body(scope, receive, self._clock, max_bytes=RPC_BODY_BYTES)
        message = parse_message(raw)
        if method != "ListEvents":
            return await self._methods[method](principal, message)
        wish = read_event_list_wish(message)
        if wish.wait_seconds:
            listed = await self._list_unless_gone(principal, wish, receive)
            # A key that was revoked meanwhile is shown nothing any more (contract 3.1).
            await self._authenticator.authenticate(scope, Role.SUBSCRIBER)
            return listed
        return await self._listing.list(principal.account, principal.key_id, wish)

    async def _list_unless_gone(
        self, principal: Principal, wish: EventListWish, receive: Receive
    ) -> Listed | None:
        """List while the client is there; None if it went away before there was an answer."""
        listing = asyncio.ensure_future(
            self._listing.list(principal.account, principal.key_id, wish)
        )
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({listing, gone}, return_when=asyncio.FIRST_COMPLETED)
            return await listing if listing.done() else None
        finally:
            for task in (listing, gone):
                task.cancel()
            await asyncio.gather(listing, gone, return_exceptions=True)

    async def _create(self, principal: Principal, message: Message) -> dict[str, Any]:
        wish = read_webhook_wish(message)
        webhook = await self._webhooks.create(principal.account, principal.name, wish)
        return {"webhook": print_webhook(webhook, with_secret=True)}

    async def _get(self, principal: Principal, message: Message) -> dict[str, Any]:
        webhook = await self._webhooks.get(principal.account, read_webhook_id(message))
        return {"webhook": print_webhook(webhook)}

    async def _list(self, principal: Principal, message: Message) -> dict[str, Any]:
        page = await self._webhooks.list(principal.account, read_webhook_list_wish(message))
        answer: dict[str, Any] = {"webhooks": [print_webhook(found) for found in page.webhooks]}
        if page.next_after is not None:
            answer["next_page_token"] = format_token(page.next_after)
        return answer

    async def _update(self, principal: Principal, message: Message) -> dict[str, Any]:
        wish = read_webhook_wish(message)
        webhook = await self._webhooks.update(principal.account, principal.name, wish)
        return {"webhook": print_webhook(webhook)}

    async def _delete(self, principal: Principal, message: Message) -> dict[str, Any]:
        await self._webhooks.delete(principal.account, read_webhook_id(message))
        return {}

    async def _rotate_secret(self, principal: Principal, message: Message) -> dict[str, Any]:
        webhook_id = read_webhook_id(message)
        webhook = await self._webhooks.rotate_secret(principal.account, principal.name, webhook_id)
        return print_rotation(webhook)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _check_content_type(scope: Scope) -> None:
    """Refuse what says that it isn't JSON; parameters, and no Content-Type at all, are fine."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type = value.split(b";", 1)[0].strip().lower()
            if media_type not in (b"application/json", b""):
                raise UnsupportedMediaType("send Content-Type: application/json")
