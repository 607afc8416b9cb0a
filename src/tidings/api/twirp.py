"""Errors of the webhook services, as Twirp writes them (contract 1.8).

``{"code": "invalid_argument", "msg": "page_size must be …", "meta": {"argument": "page_size"}}``
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from starlette.types import Scope, Send

from tidings import errors, telemetry
from tidings.api.responses import respond

_CODES: tuple[tuple[type[errors.TidingsError], str, int], ...] = (
    (errors.InvalidArgument, "invalid_argument", 400),
    (errors.TooLarge, "invalid_argument", 400),
    (errors.MalformedRequest, "malformed", 400),
    (errors.UnsupportedMediaType, "malformed", 400),
    (errors.Unauthenticated, "unauthenticated", 401),
    (errors.PermissionDenied, "permission_denied", 403),
    (errors.NotFound, "not_found", 404),
    (errors.Conflict, "already_exists", 409),
    (errors.FailedPrecondition, "failed_precondition", 412),
    (errors.RateLimited, "resource_exhausted", 429),
    (errors.RequestError, "invalid_argument", 400),
    (errors.Unavailable, "unavailable", 503),
)
"""The first line that an error is an instance of gives its code and status.

Twirp has no code for a body that is too large or of another type; these are the nearest. What is
on no line is a fault of ours: `internal`, without a word of why.
"""


class TwirpError(msgspec.Struct, frozen=True):
    """An error as the client sees it."""

    code: str
    msg: str
    meta: dict[str, str]


def twirp_error(error: Exception) -> tuple[int, TwirpError]:
    """Return the HTTP status and the body for an error; `internal` for what isn't a client's."""
    for kind, code, status in _CODES:
        if isinstance(error, kind):
            argument = error.argument if isinstance(error, errors.RequestError) else None
            meta = {} if argument is None else {"argument": argument}
            return status, TwirpError(code, error.message, meta)
    return 500, TwirpError("internal", "something went wrong on our side", {})


async def respond_twirp_error(scope: Scope, send: Send, error: Exception) -> None:
    """Answer with an error. One that is our own fault is logged first (telemetry)."""
    status, body = twirp_error(error)
    if status == 500:
        telemetry.logger().error(telemetry.REQUEST_FAILED, path=scope["path"], exc_info=error)
    await respond(send, status, msgspec.json.encode(body), headers=_headers(error))


async def respond_bad_route(send: Send, message: str) -> None:
    """Answer that the service has no such method (contract 1.8: `bad_route`, 404)."""
    await respond(send, 404, msgspec.json.encode(TwirpError("bad_route", message, {})))


def _headers(error: Exception) -> Sequence[tuple[bytes, bytes]]:
    match error:
        case errors.Unauthenticated():
            return [(b"www-authenticate", b"Token")]
        case errors.RateLimited() | errors.Unavailable():
            # Whole seconds (RFC 9110), never 0: that would ask for a retry at once.
            return [(b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_seconds)))]
        case _:
            return ()
