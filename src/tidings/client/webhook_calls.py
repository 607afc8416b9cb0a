"""The webhook service (contract 1.4), call by call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from tidings.client.messages import EventsPage, SecretRotation, Webhook, WebhooksPage
from tidings.client.request import JSON, Answer, Request, decoded, decoded_by, reading

_SERVICE = "smartsuite.webhooks.engine.Webhooks"
_T = TypeVar("_T")


def create_webhook(
    solution_id: str,
    kinds: Sequence[str],
    *,
    filter: Mapping[str, Any] | None = None,  # noqa: A002 - the contract's word
    url: str | None = None,
    start_at: str | None = None,
) -> Request[Webhook]:
    """Create a webhook; without a filter it covers the solution, without a url it isn't pinged.

    The answer alone carries its signing secret. Not repeated after a lost answer.
    """
    wish: dict[str, Any] = {
        "locator": {"solution_id": solution_id},
        "kinds": list(kinds),
        "filter": filter or {"solution": {}},
    }
    if url is not None:
        wish["notification_status"] = {"enabled": {"url": url}}
    if start_at is not None:
        wish["start_at"] = start_at
    return _call("CreateWebhook", {"webhook": wish}, _webhook, repeatable=False)


def get_webhook(webhook_id: str) -> Request[Webhook]:
    """Return a webhook; raises NotFound."""
    return _call("GetWebhook", {"webhook_id": webhook_id}, _webhook)


def list_webhooks(
    *,
    solution_id: str | None = None,
    page_token: str | None = None,
    page_size: int | None = None,
) -> Request[WebhooksPage]:
    """Return one page of the account's webhooks, of one solution if it is named."""
    wish = {"solution_id": solution_id, "page_token": page_token, "page_size": page_size}
    return _call("ListWebhooks", wish, reading(WebhooksPage))


def update_webhook(webhook_id: str, changes: Mapping[str, Any]) -> Request[Webhook]:
    """Replace the fields in `changes` (filter, kinds, notification_status), keep others."""
    wish = {"webhook": {"webhook_id": webhook_id, **changes}}
    return _call("UpdateWebhook", wish, _webhook)


def delete_webhook(webhook_id: str) -> Request[None]:
    """Delete a webhook with its events; raises NotFound. Not repeated after a lost answer."""
    return _call("DeleteWebhook", {"webhook_id": webhook_id}, _nothing, repeatable=False)


def list_events(
    webhook_id: str,
    *,
    page_token: str | None = None,
    page_size: int | None = None,
    wait_seconds: int | None = None,
) -> Request[EventsPage]:
    """Return the page after `page_token` (none: from the webhook's beginning).

    With `wait_seconds` (0 to 30) an answer that would be empty comes with the next event, or then.
    """
    wish = {
        "webhook_id": webhook_id,
        "page_token": page_token,
        "page_size": page_size,
        "wait_seconds": wait_seconds,
    }
    return _call("ListEvents", wish, _page)


def rotate_secret(webhook_id: str) -> Request[SecretRotation]:
    """Give a webhook a new signing secret; the last one signs too for a day. Raises NotFound.

    Not repeated after a lost answer: that would end the last one's day.
    """
    wish = {"webhook_id": webhook_id}
    return _call("RotateSecret", wish, reading(SecretRotation), repeatable=False)


class _OneWebhook(msgspec.Struct):
    webhook: Webhook


_PAGE = msgspec.json.Decoder(EventsPage)


def _call(
    method: str, wish: object, read: Callable[[Answer], _T], *, repeatable: bool = True
) -> Request[_T]:
    return Request(
        method="POST",
        path=f"/{_SERVICE}/{method}",
        read=read,
        service=_SERVICE,
        body=msgspec.json.encode(wish),
        headers=JSON,
        repeatable=repeatable,
    )


def _nothing(_: Answer) -> None:
    """Read an answer that says no more than that it was done."""


def _webhook(answer: Answer) -> Webhook:
    return decoded(answer, _OneWebhook).webhook


def _page(answer: Answer) -> EventsPage:
    return decoded_by(answer, _parsed_page)


def _parsed_page(body: bytes) -> EventsPage:
    return msgspec.structs.replace(_PAGE.decode(body), body=body)
