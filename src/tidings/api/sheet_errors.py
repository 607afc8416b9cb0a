"""Errors of the Smartsheet contract's service, as its clients read them (contract 2.1, 2.7).

``{"errorCode": 1006, "message": "Not Found", "refId": "enk7r0"}``
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from starlette.types import Scope, Send

from tidings import errors, telemetry
from tidings.api.body import header
from tidings.api.responses import respond
from tidings.domain.sheet_refusal import STATUSES, SheetCode, SheetRefusal

_CODES: tuple[tuple[type[errors.TidingsError], SheetCode], ...] = (
    (errors.MalformedRequest, SheetCode.UNPARSABLE),
    (errors.TooLarge, SheetCode.UNPARSABLE),
    (errors.UnsupportedMediaType, SheetCode.CONTENT_TYPE),
    (errors.PermissionDenied, SheetCode.NOT_AUTHORIZED),
    (errors.NotFound, SheetCode.NOT_FOUND),
    (errors.FailedPrecondition, SheetCode.NO_ROOM),
    (errors.RateLimited, SheetCode.RATE_LIMITED),
    (errors.RequestError, SheetCode.INVALID_PARAMETER),
    (errors.Unavailable, SheetCode.TRY_AGAIN),
)
"""The first line that an error is an instance of gives its code; what is on none is our fault.

A body that is too large has no code in the contract, as little as an account that has no room.
"""


class SheetError(msgspec.Struct, frozen=True, rename="camel"):
    """An error as the client sees it."""

    error_code: SheetCode
    message: str
    ref_id: str


def sheet_code(error: Exception, *, key_given: bool = True) -> SheetCode:
    """Return the code for an error; INTERNAL for what isn't the client's."""
    if isinstance(error, SheetRefusal):
        return error.code
    if isinstance(error, errors.Unauthenticated):
        return SheetCode.INVALID_TOKEN if key_given else SheetCode.NO_TOKEN
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return SheetCode.INTERNAL


def sheet_status(error: Exception, code: SheetCode) -> int:
    """Return the HTTP status for an error and its code."""
    too_large = isinstance(error, errors.TooLarge)
    return (HTTPStatus.REQUEST_ENTITY_TOO_LARGE if too_large else STATUSES[code]).value


async def respond_sheet_error(scope: Scope, send: Send, error: Exception, ref_id: str) -> None:
    """Answer with an error. One that is our own fault is logged first (telemetry), by `ref_id`."""
    code = sheet_code(error, key_given=_names_a_key(header(scope, b"authorization") or ""))
    if code is SheetCode.INTERNAL:
        telemetry.logger().error(
            telemetry.REQUEST_FAILED, path=scope["path"], ref_id=ref_id, exc_info=error
        )
    body = msgspec.json.encode(SheetError(code, _message(error, code), ref_id))
    await respond(send, sheet_status(error, code), body, headers=_headers(error))


def _names_a_key(authorization: str) -> bool:
    """Whether more stands there than the name of a scheme."""
    return authorization.strip().lower() not in ("", "bearer", "token")


def _message(error: Exception, code: SheetCode) -> str:
    if code is SheetCode.INTERNAL or not isinstance(error, errors.TidingsError):
        return "Something went wrong on our side."
    return "Not Found" if code is SheetCode.NOT_FOUND else error.message


async def respond_method_not_supported(send: Send, allowed: Sequence[str], ref_id: str) -> None:
    """Answer that a path doesn't take this method (1122)."""
    code = SheetCode.METHOD_NOT_SUPPORTED
    body = msgspec.json.encode(SheetError(code, f"Use {' or '.join(allowed)} here.", ref_id))
    headers = [(b"allow", ", ".join(allowed).encode())]
    await respond(send, STATUSES[code].value, body, headers=headers)


def _headers(error: Exception) -> Sequence[tuple[bytes, bytes]]:
    match error:
        case errors.Unauthenticated():
            return [(b"www-authenticate", b"Bearer")]
        case errors.RateLimited() | errors.Unavailable():
            # Whole seconds (RFC 9110), never 0: that would ask for a retry at once.
            return [(b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_seconds)))]
        case _:
            return ()
