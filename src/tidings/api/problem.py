"""Errors as `application/problem+json` (RFC 9457; contract 3.2)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import msgspec
from starlette.types import Receive, Scope, Send

from tidings import errors, telemetry
from tidings.api.responses import Answering, respond

MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:tidings:problem:"

Member = str | int | None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a client sees of an error: a stable code, a status, and a sentence."""

    code: str
    status: int
    title: str
    detail: str
    field: str | None = None
    retry_after_seconds: float | None = None


_KINDS: tuple[tuple[type[errors.TidingsError], str, int, str], ...] = (
    # The first that matches: branches of the tree stand before what they grow from.
    (errors.MalformedRequest, "malformed", 400, "The request can't be read"),
    (errors.Unauthenticated, "unauthenticated", 401, "No valid API key"),
    (errors.PermissionDenied, "permission_denied", 403, "This key may not do that"),
    (errors.NotFound, "not_found", 404, "Not found"),
    (errors.IdempotencyKeyReused, "idempotency_key_reused", 409, "Idempotency-Key reused"),
    (errors.AlreadyExists, "already_exists", 409, "Already exists"),
    (errors.Conflict, "conflict", 409, "It contradicts what is stored"),
    (errors.FailedPrecondition, "failed_precondition", 409, "Not possible in this state"),
    (errors.TooLarge, "too_large", 413, "Too large"),
    (errors.UnsupportedMediaType, "unsupported_media_type", 415, "Unsupported media type"),
    (errors.RateLimited, "rate_limited", 429, "Too many requests"),
    (errors.RequestError, "invalid_argument", 400, "An argument is wrong"),
    (errors.Unavailable, "unavailable", 503, "Not now; try again"),
)

_INTERNAL = Problem(
    code="internal",
    status=500,
    title="Internal error",
    detail="the server failed to answer this request; its log says why",
)


def problem_of(error: Exception) -> Problem:
    """Return what a client may see of an error; of one that is not its own, nothing."""
    for kind, code, status, title in _KINDS:
        if isinstance(error, kind):
            return Problem(
                code=code,
                status=status,
                title=title,
                detail=error.message,
                field=getattr(error, "argument", None),
                retry_after_seconds=getattr(error, "retry_after_seconds", None),
            )
    return _INTERNAL


async def respond_problem(
    send: Send, problem: Problem, members: Mapping[str, Member] | None = None
) -> None:
    """Write a problem, with members of the endpoint's own beside the standard ones."""
    shown: dict[str, Member] = {
        "type": _TYPE_PREFIX + problem.code,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.field is not None:
        shown["field"] = problem.field
    shown.update(members or {})
    headers = []
    if problem.retry_after_seconds is not None:
        # Whole seconds (RFC 9110), never 0: that would ask for a retry at once.
        seconds = max(1, math.ceil(problem.retry_after_seconds))
        headers.append((b"retry-after", b"%d" % seconds))
    if problem.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await respond(
        send,
        problem.status,
        msgspec.json.encode(shown),
        content_type=MEDIA_TYPE,
        headers=headers,
    )


def log_failure(error: Exception, scope: Scope) -> None:
    """Write a fault of ours to the log, with its trace, which no client sees."""
    telemetry.logger().error(
        telemetry.REQUEST_FAILED,
        method=scope.get("method"),
        path=scope.get("path"),
        exc_info=error,
    )


class ProblemBoundary(ABC):
    """An ASGI endpoint whose errors are answered as problems; subclasses say `answer`."""

    @abstractmethod
    async def answer(self, scope: Scope, receive: Receive, answering: Answering) -> None:
        """Answer one request; any error that is raised before the answer begins is told."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        answering = Answering(send)
        try:
            await self.answer(scope, receive, answering)
        except Exception as error:
            problem = problem_of(error)
            if problem is _INTERNAL:
                log_failure(error, scope)
            if answering.begun:
                # Half an answer can't be mended; the server cuts the connection.
                raise
            await respond_problem(answering, problem)
