"""Why the Smartsheet contract refuses a request: its codes, and the statuses beside them (2.7)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from http import HTTPStatus
from typing import Final

from tidings.errors import RequestError


class SheetCode(IntEnum):
    """`errorCode` of an answer: clients decide by it, not by the HTTP status."""

    NO_TOKEN = 1001
    """No key was given."""
    INVALID_TOKEN = 1002
    """The key doesn't exist, or is revoked."""
    NOT_AUTHORIZED = 1004
    """The key's role may not do this."""
    NOT_FOUND = 1006
    """Nothing that this account may see is there."""
    UNPARSABLE = 1008
    """The body is no JSON object, nested too deep, or (413) too large."""
    ATTRIBUTE_MISSING = 1012
    """An attribute that is required isn't there; the message names it."""
    NO_ROOM = 1013
    """The account has as many webhooks as it may have (ours)."""
    INVALID_PARAMETER = 1018
    """A value of the query, or the callbackUrl's port or address, is wrong."""
    INVALID_ATTRIBUTE = 1031
    """An attribute's value is wrong; the message names it."""
    ATTRIBUTE_NOT_ALLOWED = 1032
    """An attribute may not be written, or not in this operation."""
    METHOD_NOT_SUPPORTED = 1122
    """The path doesn't take this method."""
    CONTENT_TYPE = 1124
    """The body isn't `application/json` by its own word."""
    SCOPE_NOT_FOUND = 1151
    """The account has no such sheet."""
    ONLY_HTTPS = 1152
    """The callbackUrl doesn't begin with https://."""
    KEY_REVOKED = 1153
    """The key that created the webhook was revoked."""
    DISABLED_BY_ADMINISTRATOR = 1154
    """The webhook was disabled by an administrator."""
    INTERNAL = 4000
    """Our fault; the log says why, by the refId."""
    TRY_AGAIN = 4001
    """Not now, and it passes: send it again after `Retry-After`."""
    RATE_LIMITED = 4003
    """Too many requests, or challenges under way: the same."""


STATUSES: Final = {
    SheetCode.NO_TOKEN: HTTPStatus.UNAUTHORIZED,
    SheetCode.INVALID_TOKEN: HTTPStatus.UNAUTHORIZED,
    SheetCode.NOT_AUTHORIZED: HTTPStatus.FORBIDDEN,
    SheetCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    SheetCode.UNPARSABLE: HTTPStatus.BAD_REQUEST,
    SheetCode.ATTRIBUTE_MISSING: HTTPStatus.BAD_REQUEST,
    SheetCode.NO_ROOM: HTTPStatus.FORBIDDEN,
    SheetCode.INVALID_PARAMETER: HTTPStatus.BAD_REQUEST,
    SheetCode.INVALID_ATTRIBUTE: HTTPStatus.BAD_REQUEST,
    SheetCode.ATTRIBUTE_NOT_ALLOWED: HTTPStatus.BAD_REQUEST,
    SheetCode.METHOD_NOT_SUPPORTED: HTTPStatus.METHOD_NOT_ALLOWED,
    SheetCode.CONTENT_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    SheetCode.SCOPE_NOT_FOUND: HTTPStatus.NOT_FOUND,
    SheetCode.ONLY_HTTPS: HTTPStatus.BAD_REQUEST,
    SheetCode.KEY_REVOKED: HTTPStatus.FORBIDDEN,
    SheetCode.DISABLED_BY_ADMINISTRATOR: HTTPStatus.FORBIDDEN,
    SheetCode.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    SheetCode.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    SheetCode.TRY_AGAIN: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""What each is answered with."""


class SheetRefusal(RequestError):
    """A request that is refused by a code of this contract's own."""

    def __init__(self, code: SheetCode, message: str, *, argument: str | None = None) -> None:
        super().__init__(message, argument=argument)
        self.code = code


def attribute_missing(names: Iterable[str]) -> SheetRefusal:
    """Return the refusal of a body without attributes that it needs."""
    message = f"These attributes are required: {', '.join(names)}."
    return SheetRefusal(SheetCode.ATTRIBUTE_MISSING, message)


def attribute_not_allowed(names: Iterable[str]) -> SheetRefusal:
    """Return the refusal of a body with attributes that may not be written here."""
    message = f"These attributes can't be given in this operation: {', '.join(names)}."
    return SheetRefusal(SheetCode.ATTRIBUTE_NOT_ALLOWED, message)


def invalid_attribute(name: str, why: str) -> SheetRefusal:
    """Return the refusal of an attribute's value."""
    return SheetRefusal(
        SheetCode.INVALID_ATTRIBUTE, f"The value of {name} is not valid: {why}.", argument=name
    )


def invalid_parameter(name: str, why: str) -> SheetRefusal:
    """Return the refusal of a value in the query, or of a callbackUrl (contract 2.2)."""
    return SheetRefusal(
        SheetCode.INVALID_PARAMETER, f"The value of {name} is not valid: {why}", argument=name
    )
