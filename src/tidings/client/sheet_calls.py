"""The Smartsheet contract's `/2.0/webhooks` (contract 2.1 to 2.3), call by call; ours beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from tidings.client.request import JSON, Answer, Request, decoded, reading
from tidings.client.sheet_messages import SheetWebhook, SheetWebhooksPage

_PATH = "/2.0/webhooks"
_ADMINISTRATION = "/v1/webhooks"
_T = TypeVar("_T")


def create_sheet_webhook(
    name: str,
    sheet_id: int,
    callback_url: str,
    *,
    column_ids: Sequence[int] = (),
    events: Sequence[str] = ("*.*",),
) -> Request[SheetWebhook]:
    """Create a webhook for a sheet, of all columns or of those named; it is not enabled yet.

    Raises InvalidArgument, and NotFound for a sheet of which nothing was published. Not repeated
    after a lost answer.
    """
    wish: dict[str, Any] = {
        "name": name,
        "callbackUrl": callback_url,
        "scope": "sheet",
        "scopeObjectId": sheet_id,
        "events": list(events),
        "version": 1,
    }
    if column_ids:
        wish["subscope"] = {"columnIds": list(column_ids)}
    return _call("POST", "", _result(SheetWebhook), wish, repeatable=False)


def get_sheet_webhook(webhook_id: int) -> Request[SheetWebhook]:
    """Return a sheet's webhook; raises NotFound."""
    return _call("GET", f"/{webhook_id:d}", reading(SheetWebhook))


def list_sheet_webhooks(
    *, page: int | None = None, page_size: int | None = None, include_all: bool = False
) -> Request[SheetWebhooksPage]:
    """Return a page of the account's sheet webhooks, newest first; or all of them."""
    named = {"page": page, "pageSize": page_size, "includeAll": "true" if include_all else None}
    params = {name: str(value) for name, value in named.items() if value is not None}
    return _call("GET", "", reading(SheetWebhooksPage), params=params)


def update_sheet_webhook(
    webhook_id: int,
    *,
    enabled: bool | None = None,
    callback_url: str | None = None,
    name: str | None = None,
    events: Sequence[str] | None = None,
    version: int | None = None,
) -> Request[SheetWebhook]:
    """Change what is named; the answer comes after the challenge, where there is one.

    A challenge that failed doesn't raise: `enabled` stays False, and `status` and
    `disabled_details` say why. Raises NotFound; FailedPrecondition where an administrator or a
    revoked key stands before it.
    """
    named = {
        "enabled": enabled,
        "callbackUrl": callback_url,
        "name": name,
        "events": None if events is None else list(events),
        "version": version,
    }
    wish = {field: value for field, value in named.items() if value is not None}
    return _call("PUT", f"/{webhook_id:d}", _result(SheetWebhook), wish)


def delete_sheet_webhook(webhook_id: int) -> Request[None]:
    """Delete a sheet's webhook; raises NotFound. Not repeated after a lost answer."""
    return _call("DELETE", f"/{webhook_id:d}", _nothing, repeatable=False)


def reset_shared_secret(webhook_id: int) -> Request[str]:
    """Give a sheet's webhook a new shared secret and return it; the last one ends at once.

    Raises NotFound. Not repeated after a lost answer.
    """
    path = f"/{webhook_id:d}/resetsharedsecret"
    return _call("POST", path, _shared_secret, {}, repeatable=False)


def disable_administratively(webhook_id: int) -> Request[SheetWebhook]:
    """Disable a sheet's webhook so that its owner can't enable it; takes an admin's key.

    Raises NotFound.
    """
    return _administration(webhook_id, "disable")


def enable_administratively(webhook_id: int) -> Request[SheetWebhook]:
    """Enable a sheet's webhook after its challenge, also one that was so disabled.

    Takes an admin's key. A challenge that failed doesn't raise: `enabled` stays False, and
    `status` and `disabled_details` say why. Raises NotFound; FailedPrecondition where the key that
    created it is revoked.
    """
    return _administration(webhook_id, "enable")


def _administration(webhook_id: int, action: str) -> Request[SheetWebhook]:
    return Request(
        method="POST",
        path=f"{_ADMINISTRATION}/{webhook_id:d}/{action}",
        read=reading(SheetWebhook),
        service=_ADMINISTRATION,
    )


class _Wrapped(msgspec.Struct, Generic[_T]):
    result: _T


class _Secret(msgspec.Struct, rename="camel"):
    shared_secret: str


def _call(
    method: str,
    path: str,
    read: Callable[[Answer], _T],
    wish: object = None,
    *,
    params: dict[str, str] | None = None,
    repeatable: bool = True,
) -> Request[_T]:
    return Request(
        method=method,
        path=_PATH + path,
        read=read,
        service=_PATH,
        body=b"" if wish is None else msgspec.json.encode(wish),
        headers={} if wish is None else JSON,
        params=params or {},
        repeatable=repeatable,
        scheme="Bearer",
    )


def _result(kind: type[_T]) -> Callable[[Answer], _T]:
    return lambda answer: decoded(answer, _Wrapped[kind]).result  # type: ignore[valid-type]


def _nothing(_: Answer) -> None:
    """Read an answer that says no more than that it was done."""


def _shared_secret(answer: Answer) -> str:
    return decoded(answer, _Wrapped[_Secret]).result.shared_secret
