"""Requests and answers of the webhook service, as the wire has them (contract 1.3 and 1.4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from tidings.domain.filter import (
    ApplicationFilter,
    ApplicationsFilter,
    Filter,
    SolutionFilter,
)
from tidings.domain.instants import format_instant, format_second, parse_instant
from tidings.domain.kinds import Kind
from tidings.domain.lifecycle import NOTIFIED, deletes_at, expires_at
from tidings.domain.limits import (
    FILTER_APPLICATIONS,
    FILTER_FIELDS,
    ID_LENGTH,
    PAGE_SIZE,
    PAGE_SIZE_MAX,
    URL_LENGTH,
    WAIT_SECONDS_MAX,
    WEBHOOKS_PAGE_SIZE,
)
from tidings.domain.page_token import parse_token
from tidings.domain.proto_json import Message, check_text
from tidings.domain.webhook import DisabledReason, Notifications, Stamp, Webhook
from tidings.errors import InvalidArgument

URL_ARGUMENT = "webhook.notification_status.enabled.url"


class NotificationWish(msgspec.Struct, frozen=True):
    """`notification_status` as asked for; an enabled one without a url keeps the last."""

    enabled: bool
    url: str | None = None


class WebhookWish(msgspec.Struct, frozen=True, kw_only=True):
    """The `webhook` of a CreateWebhook or UpdateWebhook; None where a field is absent."""

    webhook_id: str
    account: str
    solution: str
    filter: Filter | None
    kinds: tuple[Kind, ...] | None
    notifications: NotificationWish | None
    start_at: datetime | None


class WebhookListWish(msgspec.Struct, frozen=True):
    """A ListWebhooks: the place after which its page starts, 0 for the first one."""

    solution: str | None
    page_size: int
    after: int


class EventListWish(msgspec.Struct, frozen=True):
    """A ListEvents: `token` is the position that its page token names, None without one."""

    webhook_id: str
    page_size: int
    token: int | None
    wait_seconds: int


def read_webhook_wish(request: Message) -> WebhookWish:
    """Read a CreateWebhook or UpdateWebhook; raises InvalidArgument."""
    webhook = request.message("webhook")
    if webhook is None:
        raise InvalidArgument("webhook", "webhook is required")
    locator = webhook.message("locator") or Message({}, webhook.name("locator"))
    return WebhookWish(
        webhook_id=webhook.text("webhook_id").strip(),
        account=locator.text("account_id"),
        solution=locator.text("solution_id"),
        filter=_read_filter(webhook),
        kinds=_read_kinds(webhook),
        notifications=_read_notifications(webhook),
        start_at=_read_start_at(webhook),
    )


def read_webhook_id(request: Message) -> str:
    """Read the `webhook_id` of a request that names just that; raises InvalidArgument."""
    return request.required_text("webhook_id")


def read_webhook_list_wish(request: Message) -> WebhookListWish:
    """Read a ListWebhooks; raises InvalidArgument."""
    token = _read_token_text(request)
    return WebhookListWish(
        solution=request.text("solution_id") or None,
        page_size=_read_page_size(request, WEBHOOKS_PAGE_SIZE),
        after=parse_token(token) if token else 0,
    )


def read_event_list_wish(request: Message) -> EventListWish:
    """Read a ListEvents; raises InvalidArgument."""
    token = _read_token_text(request)
    return EventListWish(
        webhook_id=request.required_text("webhook_id"),
        page_size=_read_page_size(request, PAGE_SIZE),
        token=parse_token(token) if token else None,
        wait_seconds=min(request.whole_number("wait_seconds"), WAIT_SECONDS_MAX),
    )


def _read_page_size(request: Message, default: int) -> int:
    return min(request.whole_number("page_size") or default, PAGE_SIZE_MAX)


def _read_token_text(request: Message) -> str:
    """Return the page token's text; a number is taken as its decimal string (contract 1.2)."""
    value = request.value("page_token")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return request.text("page_token")


def _read_filter(webhook: Message) -> Filter | None:
    wanted = webhook.message("filter")
    if wanted is None:
        return None
    which, member = wanted.only_member(("solution", "applications", "application"))
    if which == "solution":
        return SolutionFilter()
    if which == "applications":
        application_ids = member.texts("application_ids", at_most=FILTER_APPLICATIONS)
        if not application_ids:
            name = member.name("application_ids")
            raise InvalidArgument(name, f"{name} must name at least one: it would never fire")
        return ApplicationsFilter(application_ids)
    return ApplicationFilter(
        member.required_text("application_id"),
        member.texts("field_ids", at_most=FILTER_FIELDS),
    )


def _read_kinds(webhook: Message) -> tuple[Kind, ...] | None:
    """Return the kinds, each once; an empty array is refused: it would never fire."""
    elements = webhook.array("kinds")
    if elements is None:
        return None
    name = webhook.name("kinds")
    if not elements:
        raise InvalidArgument(name, f"{name} must name at least one kind")
    return tuple(dict.fromkeys(_read_kind(element, name) for element in elements))


def _read_kind(value: object, name: str) -> Kind:
    """Return a kind by its name or its number (a proto3 enum)."""
    if isinstance(value, str) and value in Kind.__members__:
        return Kind[value]
    if isinstance(value, int | float) and not isinstance(value, bool) and value in _NUMBERS:
        return Kind(int(value))
    raise InvalidArgument(name, f"{name} must hold kinds such as RECORD_CREATED, by name or number")


_NUMBERS = frozenset(int(kind) for kind in Kind)


def _read_notifications(webhook: Message) -> NotificationWish | None:
    status = webhook.message("notification_status")
    if status is None:
        return None
    which, member = status.only_member(("enabled", "disabled"))
    if which == "disabled":
        return NotificationWish(enabled=False)
    return NotificationWish(enabled=True, url=member.text("url", limit=URL_LENGTH) or None)


def _read_start_at(webhook: Message) -> datetime | None:
    value = webhook.value("start_at")
    if value is None or value == "":
        return None
    name = webhook.name("start_at")
    try:
        return parse_instant(check_text(value, name, ID_LENGTH))
    except ValueError as error:
        message = f"{name} must be a time such as 2023-06-20T14:26:47.192Z"
        raise InvalidArgument(name, message) from error


def print_webhook(webhook: Webhook, *, with_secret: bool = False) -> dict[str, Any]:
    """Return a Webhook as the contract prints it; the secret only in CreateWebhook's answer."""
    printed: dict[str, Any] = {
        "webhook_id": webhook.webhook_id,
        "locator": {"account_id": webhook.account, "solution_id": webhook.solution},
        "filter": _print_filter(webhook.filter),
        "kinds": [kind.name for kind in webhook.kinds],
        "created_at": _print_stamp(webhook.created),
        "updated_at": _print_stamp(webhook.updated),
        "notification_status": _print_notifications(webhook.notifications),
        "system_status": _print_lifecycle(webhook),
    }
    if with_secret:
        printed["signing_secret"] = webhook.secret
    return printed


def _print_lifecycle(webhook: Webhook) -> dict[str, Any]:
    """Print `system_status`: which limit comes next (contract 1.3, 1.7)."""
    extended_at = webhook.extended_at or webhook.created.at
    if webhook.stage in NOTIFIED:
        return {"enabled": {"expires_at": format_second(expires_at(extended_at))}}
    deleted_at = format_second(deletes_at(extended_at))
    return {"disabled": {"reason": "EXPIRED", "deletes_at": deleted_at}}


def _print_filter(wanted: Filter) -> dict[str, Any]:
    match wanted:
        case SolutionFilter():
            return {"solution": {}}
        case ApplicationsFilter(application_ids):
            return {"applications": {"application_ids": application_ids}}
        case ApplicationFilter(application_id, field_ids):
            return {"application": {"application_id": application_id, "field_ids": field_ids}}


def _print_stamp(stamp: Stamp) -> dict[str, str]:
    return {"by": stamp.by, "at": format_instant(stamp.at)}


def _print_notifications(status: Notifications) -> dict[str, Any]:
    """Print `notification_status`; one that failed tells why and since when (contract 1.3)."""
    if status.enabled:
        return {"enabled": {"url": status.url}}
    if status.reason is not DisabledReason.DELIVERY_FAILED:
        return {"disabled": {}}
    disabled_at = status.disabled_at
    told = {
        "url": status.url,
        "reason": status.reason.value,
        "disabled_at": None if disabled_at is None else format_instant(disabled_at),
        "last_error": status.last_error,
    }
    return {"disabled": {name: value for name, value in told.items() if value is not None}}


def print_rotation(webhook: Webhook) -> dict[str, str]:
    """Return RotateSecret's answer for the webhook that it made (contract 1.4)."""
    if webhook.previous_secret_expires_at is None:
        raise AssertionError("a rotation without an end")
    return {
        "signing_secret": webhook.secret,
        "previous_expires_at": format_instant(webhook.previous_secret_expires_at),
    }
