"""`POST /v1/applications`: which solution an application belongs to (contract 3.2)."""

from __future__ import annotations

import msgspec
from starlette.types import Receive, Scope

from tidings.api.auth import Authenticator
from tidings.api.body import media_type, read_body
from tidings.api.metering import Meter
from tidings.api.problem import ProblemBoundary
from tidings.api.responses import Answering, respond
from tidings.domain.key import Role
from tidings.domain.limits import RPC_BODY_BYTES
from tidings.engine.publish import Publisher
from tidings.errors import UnsupportedMediaType
from tidings.ports import Clock


class ApplicationsEndpoint(ProblemBoundary):
    """The ASGI endpoint for registering applications; routes and methods are the app's."""

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

    async def answer(self, scope: Scope, receive: Receive, answering: Answering) -> None:
        """Register the application in the key's account, and answer with what was registered."""
        count = None if self._meter is None else self._meter.of(answering)
        principal = await self._authenticator.authenticate(scope, Role.PUBLISHER, count)
        if media_type(scope) != "application/json":
            raise UnsupportedMediaType("Content-Type must be application/json")
        body = await read_body(scope, receive, self._clock, max_bytes=RPC_BODY_BYTES)
        registered = await self._publisher.register_application(principal.account, body)
        await respond(answering, 200, msgspec.json.encode(registered))
