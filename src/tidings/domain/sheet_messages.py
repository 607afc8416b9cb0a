"""What a Smartsheet client sends and is sent, as JSON objects (contract 2.2, 2.3). Pure.

`null` means absent. Whatever a body holds, only RequestError is raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from tidings.domain.address import AddressPolicy, parse_endpoint
from tidings.domain.dispatch import CallbackCursor
from tidings.domain.instants import format_second
from tidings.domain.json_text import check_json_text, decode_json
from tidings.domain.limits import FILTER_FIELDS, JSON_DEPTH, NAME_LENGTH
from tidings.domain.sheet_refusal import (
    SheetCode,
    SheetRefusal,
    attribute_missing,
    attribute_not_allowed,
    invalid_attribute,
    invalid_parameter,
)
from tidings.domain.sheet_standing import sheet_of
from tidings.domain.sheet_webhook import SheetStatus, sheet_number
from tidings.domain.webhook import Webhook
from tidings.errors import InvalidArgument

EVENTS: Final = ["*.*"]
"""What a webhook of a sheet is told of: everything. Nothing else can be asked for."""
VERSION: Final = 1
PORTS: Final = frozenset({443, 8000, 8008, 8080, 8443})
"""Where callbacks may go (contract 2.2)."""

_REQUIRED: Final = ("name", "callbackUrl", "scope", "scopeObjectId", "events", "version")
_ON_CREATE: Final = frozenset({*_REQUIRED, "subscope"})
_ON_UPDATE: Final = frozenset({"name", "callbackUrl", "enabled", "events", "version"})
_BODY: Final = msgspec.json.Decoder(dict[str, Any], float_hook=float)


class SheetWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a POST asks for."""

    name: str
    callback_url: str
    sheet: int
    columns: tuple[int, ...]


class SheetChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a PUT asks for; None: it says nothing of that."""

    name: str | None = None
    callback_url: str | None = None
    enabled: bool | None = None


def read_sheet_wish(raw: bytes, policy: AddressPolicy) -> SheetWish:
    """Read a POST's body; raises SheetRefusal, or MalformedRequest for what is no JSON object."""
    given = _attributes(raw, _ON_CREATE)
    missing = [name for name in _REQUIRED if name not in given]
    if missing:
        raise attribute_missing(missing)
    _check_events_and_version(given)
    if given["scope"] != "sheet":
        raise invalid_attribute("scope", "it must be sheet")
    return SheetWish(
        name=_name(given["name"]),
        callback_url=_callback_url(given["callbackUrl"], policy),
        sheet=_number(given["scopeObjectId"], "scopeObjectId"),
        columns=_columns(given.get("subscope")),
    )


def read_sheet_change(raw: bytes, policy: AddressPolicy) -> SheetChange:
    """Read a PUT's body; raises as `read_sheet_wish` does."""
    given = _attributes(raw, _ON_UPDATE)
    _check_events_and_version(given)
    enabled = given.get("enabled")
    if enabled is not None and not isinstance(enabled, bool):
        raise invalid_attribute("enabled", "it must be true or false")
    return SheetChange(
        name=_name(given["name"]) if "name" in given else None,
        callback_url=_callback_url(given["callbackUrl"], policy)
        if "callbackUrl" in given
        else None,
        enabled=enabled,
    )


def print_sheet(webhook: Webhook, cursor: CallbackCursor | None) -> dict[str, Any]:
    """Return a webhook as clients see it; `stats` once a callback was tried."""
    sheet = sheet_of(webhook)
    enabled = sheet.standing is SheetStatus.ENABLED
    shown: dict[str, Any] = {
        "id": int(webhook.webhook_id),
        "name": sheet.name,
        "scope": "sheet",
        "scopeObjectId": sheet.sheet,
        "callbackUrl": webhook.notifications.url,
        "events": EVENTS,
        "version": VERSION,
        "enabled": enabled,
        "status": sheet.standing.value,
        "sharedSecret": webhook.secret,
        "createdAt": format_second(webhook.created.at),
        "modifiedAt": format_second(max(webhook.updated.at, sheet.status_at)),
    }
    if sheet.columns:
        shown["subscope"] = {"columnIds": sheet.columns}
    details = _disabled_details(webhook)
    if details is not None:  # an enabled one's say what retention took from it while it wasn't
        shown["disabledDetails"] = details
    if cursor is not None and cursor.last_attempt_at is not None:
        shown["stats"] = _stats(cursor, cursor.last_attempt_at)
    return shown


def _disabled_details(webhook: Webhook) -> str | None:
    sheet = sheet_of(webhook)
    if sheet.key_revoked:
        return "The key that created this webhook was revoked"
    return sheet.disabled_details


def _stats(cursor: CallbackCursor, last_attempt_at: datetime) -> dict[str, Any]:
    stats: dict[str, Any] = {
        "lastCallbackAttempt": format_second(last_attempt_at),
        "lastCallbackAttemptRetryCount": cursor.last_attempt_failures,
    }
    if cursor.last_success_at is not None:
        stats["lastSuccessfulCallback"] = format_second(cursor.last_success_at)
    return stats


def _attributes(raw: bytes, allowed: frozenset[str]) -> Mapping[str, Any]:
    """Return a body's attributes that are there; refuse what may not be written here."""
    check_json_text(raw, max_depth=JSON_DEPTH)
    given = decode_json(_BODY, raw)
    refused = sorted(given.keys() - allowed)
    if refused:
        raise attribute_not_allowed(repr(name)[:NAME_LENGTH] for name in refused[:10])
    return {name: value for name, value in given.items() if value is not None}


def _check_events_and_version(given: Mapping[str, Any]) -> None:
    if given.get("events", EVENTS) != EVENTS:
        raise invalid_attribute("events", 'a webhook of a sheet takes ["*.*"]')
    version = given.get("version", VERSION)
    if version != VERSION or not isinstance(version, int) or isinstance(version, bool):
        raise invalid_attribute("version", "it must be 1")


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise invalid_attribute("name", "it must be a text")
    if len(value) > NAME_LENGTH:
        raise invalid_attribute("name", f"it may have {NAME_LENGTH} characters")
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in value):
        raise invalid_attribute("name", "it must not hold control characters")
    return value


def _callback_url(value: object, policy: AddressPolicy) -> str:
    """Judge a URL by all that can be known without asking DNS (contract 2.2)."""
    name = "callbackUrl"
    if not isinstance(value, str):
        raise invalid_attribute(name, "it must be a text")
    schemes = ("https://", "http://") if policy.dev else ("https://",)
    if not value.lower().startswith(schemes):
        raise SheetRefusal(SheetCode.ONLY_HTTPS, f"{name} must start with https://.", argument=name)
    try:
        endpoint = parse_endpoint(value, policy, argument=name)
    except InvalidArgument as error:
        raise invalid_parameter(name, error.message) from None
    if endpoint.port not in PORTS and not policy.dev:
        ports = ", ".join(map(str, sorted(PORTS)))
        raise invalid_parameter(name, f"its port must be one of {ports}.")
    return value


def _number(value: object, name: str) -> int:
    """Return an id that came as a number, or as a string of digits."""
    digits = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    number = sheet_number(digits) if isinstance(digits, str) else None
    if number is None:
        raise invalid_attribute(name, "it must be an id: a whole number, at most 2^53 - 1")
    return number


def _columns(subscope: object) -> tuple[int, ...]:
    if subscope is None:
        return ()
    if not isinstance(subscope, dict):
        raise invalid_attribute("subscope", "it must be an object")
    if subscope.keys() - {"columnIds"}:
        raise invalid_attribute("subscope", "it may have columnIds alone")
    given = subscope.get("columnIds")
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) > FILTER_FIELDS:
        raise invalid_attribute("subscope", f"columnIds must be a list of at most {FILTER_FIELDS}")
    return tuple(sorted({_number(column, "subscope.columnIds") for column in given}))
