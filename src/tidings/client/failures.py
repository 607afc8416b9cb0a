"""From an answer that refuses to the error that says so, and how long to wait. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import msgspec

from tidings.errors import (
    AlreadyExists,
    Conflict,
    FailedPrecondition,
    IdempotencyKeyReused,
    InvalidArgument,
    MalformedRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestError,
    ServerFault,
    TidingsError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)

RETRY_AFTER_SECONDS = 1.0
"""Where a server says to wait, but not how long."""
RETRY_AFTER_LIMIT_SECONDS = 3_600.0
"""A longer wait is cut to this: no answer may make a client sleep for ever."""
REST_LIMIT_SECONDS = 60.0
"""A longer rest is cut to this: no limit counts over more than a minute (contract 2.7)."""
_SHOWN_CHARACTERS = 500

_BY_CODE: Mapping[str, type[TidingsError]] = {
    "malformed": MalformedRequest,
    "unauthenticated": Unauthenticated,
    "permission_denied": PermissionDenied,
    "not_found": NotFound,
    "idempotency_key_reused": IdempotencyKeyReused,
    "already_exists": AlreadyExists,
    "conflict": Conflict,
    "failed_precondition": FailedPrecondition,
    "too_large": TooLarge,
    "unsupported_media_type": UnsupportedMediaType,
}
"""Twirp's `code`, and the last word of a problem's `type`."""
_BY_STATUS: Mapping[int, type[TidingsError]] = {
    400: MalformedRequest,
    401: Unauthenticated,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    412: FailedPrecondition,
    413: TooLarge,
    415: UnsupportedMediaType,
}
"""For answers that are neither: a proxy's."""
_WAIT_STATUSES = frozenset({502, 503, 504})
_BY_NUMBER: Mapping[int, type[TidingsError]] = {
    1001: Unauthenticated,
    1002: Unauthenticated,
    1003: Unauthenticated,
    1004: PermissionDenied,
    1006: NotFound,
    1008: MalformedRequest,
    1013: FailedPrecondition,
    1124: UnsupportedMediaType,
    1151: NotFound,
    1153: FailedPrecondition,
    1154: FailedPrecondition,
    4001: Unavailable,
    4002: Unavailable,
    4004: ServerFault,
}
"""Smartsheet's `errorCode` (contract 2.7), which says more than the status."""
_RATE_LIMITED = 4003
_WRONG_ATTRIBUTES = frozenset({1012, 1018, 1031, 1032, 1152})
"""An attribute is missing, wrong or not allowed; only the message names it."""


class _Refusal(msgspec.Struct):
    """The fields of all shapes of error: Twirp's (contract 1.8), Smartsheet's (2.1) and
    problem+json's (3.2).
    """

    code: str = ""
    msg: str = ""
    meta: dict[str, Any] = {}
    type: str = ""
    title: str = ""
    detail: str = ""
    field: str | None = None
    errorCode: int = 0  # noqa: N815 - the contract's word
    message: str = ""


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> TidingsError:
    """Return the error that a refusing answer stands for, whatever its bytes are."""
    refusal = _parse(body)
    message = refusal.msg or refusal.detail or refusal.message or refusal.title
    message = message or _plain(status, body)
    if status == HTTPStatus.TOO_MANY_REQUESTS or refusal.errorCode == _RATE_LIMITED:
        return RateLimited(message, retry_after_seconds=retry_after(headers))
    argument = refusal.field or refusal.meta.get("argument")
    if status == HTTPStatus.BAD_REQUEST and argument is not None:
        return InvalidArgument(str(argument), message)
    if refusal.errorCode in _WRONG_ATTRIBUTES:
        return InvalidArgument("webhook", message)
    kind = _kind_of(status, refusal)
    if issubclass(kind, Unavailable):
        return kind(message, retry_after_seconds=retry_after(headers))
    return kind(message)


def _kind_of(status: int, refusal: _Refusal) -> type[TidingsError]:
    if refusal.errorCode in _BY_NUMBER:
        return _BY_NUMBER[refusal.errorCode]
    if status in _WAIT_STATUSES:
        return Unavailable
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerFault
    code = refusal.code or refusal.type.rpartition(":")[2]
    fallback = RequestError if status >= HTTPStatus.BAD_REQUEST else ServerFault
    return _BY_CODE.get(code) or _BY_STATUS.get(status, fallback)


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that `Retry-After` asks for, bounded; a date, by the answer's own."""
    told = _number(_field(headers, "retry-after"))
    if told is None:
        told = _until(_field(headers, "retry-after"), _field(headers, "date"))
    return min(told, RETRY_AFTER_LIMIT_SECONDS)


def rest_after(headers: Mapping[str, str]) -> float:
    """Return how long to wait before the next request; 0 unless this was the last for now."""
    if _field(headers, "ratelimit-remaining") != "0":
        return 0.0
    told = _number(_field(headers, "ratelimit-reset"))
    return min(RETRY_AFTER_SECONDS if told is None else told, REST_LIMIT_SECONDS)


def _number(found: str) -> float | None:
    return float(found) if found.isascii() and found.isdigit() and len(found) <= 9 else None


def _until(date: str, now: str) -> float:
    """Return the seconds from one HTTP date to another, both of the same server's clock."""
    try:
        wait = parsedate_to_datetime(date) - parsedate_to_datetime(now)
    except (TypeError, ValueError):
        return RETRY_AFTER_SECONDS
    return max(0.0, wait.total_seconds())


def _field(headers: Mapping[str, str], name: str) -> str:
    return {key.lower(): value for key, value in headers.items()}.get(name, "").strip()


def _parse(body: bytes) -> _Refusal:
    try:
        return msgspec.json.decode(body, type=_Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Refusal()


def _plain(status: int, body: bytes) -> str:
    text = " ".join(body[:_SHOWN_CHARACTERS].decode(errors="replace").split())
    return f"The server answered {status}" + (f": {text}" if text else "")
