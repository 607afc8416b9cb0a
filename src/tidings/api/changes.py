"""`POST /v1/changes`: publishing, as JSON or as NDJSON (contract 3.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from starlette.types import Receive, Scope, Send

from tidings.api.auth import Authenticator
from tidings.api.body import header, media_type, read_body, read_pieces
from tidings.api.held_bytes import HeldBytes
from tidings.api.metering import Meter
from tidings.api.problem import Problem, ProblemBoundary, log_failure, problem_of, respond_problem
from tidings.api.query import read_query
from tidings.api.responses import Answering, respond
from tidings.domain.key import Role
from tidings.domain.limits import (
    IDEMPOTENCY_KEY_LENGTH,
    NDJSON_CHUNK_BYTES,
    PUBLISH_BODY_BYTES,
    PUBLISH_HELD_BYTES,
)
from tidings.domain.log_entry import Receipt
from tidings.engine.line_stream import LinesReceipt
from tidings.engine.publish import Publisher
from tidings.errors import InvalidArgument, TidingsError, UnsupportedMediaType
from tidings.ports import Clock

_JSON = "application/json"
_NDJSON = "application/x-ndjson"
_LINE_DIGITS = 15
"""Of `from_line`: more lines than that no file has."""


class ChangesEndpoint(ProblemBoundary):
    """The ASGI endpoint for publishing; routes and methods are the app's."""

    def __init__(
        self,
        publisher: Publisher,
        authenticator: Authenticator,
        clock: Clock,
        meter: Meter | None = None,
    ) -> None:
        self._publisher = publisher
        self._authenticator = authenticator
        self._clock = clock
        self._meter = meter
        self._held = HeldBytes(PUBLISH_HELD_BYTES)

    async def answer(self, scope: Scope, receive: Receive, answering: Answering) -> None:
        """Publish what the request carries into the key's account."""
        count = None if self._meter is None else self._meter.of(answering)
        principal = await self._authenticator.authenticate(scope, Role.PUBLISHER, count)
        key = _idempotency_key(scope)
        sent_as = media_type(scope)
        if sent_as == _JSON:
            receipt = await self._publish(principal.account, key, scope, receive)
            await respond(answering, 200, msgspec.json.encode(receipt))
        elif sent_as == _NDJSON:
            await self._answer_lines(principal.account, key, scope, receive, answering)
        else:
            raise UnsupportedMediaType(f"Content-Type must be {_JSON} or {_NDJSON}")

    async def _publish(
        self, account: str, key: str | None, scope: Scope, receive: Receive
    ) -> Receipt:
        with self._held.share() as hold:
            body = await read_body(
                scope, receive, self._clock, max_bytes=PUBLISH_BODY_BYTES, hold=hold
            )
            return await self._publisher.publish(account, body, key)

    async def _answer_lines(
        self, account: str, key: str | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        query = read_query(scope)
        solution = query.get("solution_id")
        if solution is None:
            raise InvalidArgument("solution_id", "solution_id is required in the query")
        with self._held.share() as hold:
            hold(NDJSON_CHUNK_BYTES)
            receipt = await self._publisher.publish_lines(
                account,
                self._while_the_key_lives(scope, read_pieces(scope, receive, self._clock)),
                solution=solution,
                source=query.get("source"),
                handler=query.get("handler"),
                idempotency_key=key,
                from_line=_from_line(query.get("from_line")),
            )
        if receipt.stopped is None:
            await respond(send, 200, msgspec.json.encode(_shown(receipt)))
            return
        problem = _problem_of(receipt.stopped, receipt.stopped_line)
        if problem.status == 500:
            log_failure(receipt.stopped, scope)
        await respond_problem(send, problem, _shown(receipt))

    async def _while_the_key_lives(
        self, scope: Scope, pieces: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Pass a stream on; it may last for days, and a revoked key is heeded at once (3.1)."""
        async for piece in pieces:
            await self._authenticator.authenticate(scope, Role.PUBLISHER)
            yield piece


def _idempotency_key(scope: Scope) -> str | None:
    """Return the request's key, or None; raises InvalidArgument for one that is no key."""
    key = header(scope, b"idempotency-key")
    if key is None:
        return None
    if not (1 <= len(key) <= IDEMPOTENCY_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise InvalidArgument(
            "Idempotency-Key",
            f"Idempotency-Key must have 1 to {IDEMPOTENCY_KEY_LENGTH} printable characters",
        )
    return key


def _from_line(text: str | None) -> int:
    if text is None:
        return 1
    if not (text.isascii() and text.isdigit() and len(text) <= _LINE_DIGITS and int(text) > 0):
        raise InvalidArgument("from_line", "from_line must be a whole number from 1 on")
    return int(text)


def _shown(receipt: LinesReceipt) -> dict[str, int | None]:
    return {
        "accepted": receipt.accepted,
        "suppressed": receipt.suppressed,
        "lines": receipt.lines,
        "first_position": receipt.first_position,
        "last_position": receipt.last_position,
    }


def _problem_of(error: TidingsError, line: int | None) -> Problem:
    """Return what stopped a stream; a bad line is a 400, whatever is wrong with it."""
    problem = problem_of(error)
    if line is None:
        return problem
    place = f"line {line}"
    return msgspec.structs.replace(
        problem, status=400, field=place, detail=f"{place}: {error.message}"
    )
