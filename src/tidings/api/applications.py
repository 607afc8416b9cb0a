"""`POST /v1/applications`: which solution an application belongs to (contract 3.2)."""

from __future__ import annotations

import msgspec
from starlette.types import Receive, Scope, Send

from tidings.api.auth import Authenticator
from tidings.api.body import media_type, read_body
from tidings.api.problem import ProblemBoundary
from tidings.api.responses import respond
from tidings.domain.key import Role
from tidings.domain.limits import RPC_BODY_BYTES
from tidings.engine.publish import Publisher
from tidings.errors import UnsupportedMediaType
from tidings.ports import Clock


class ApplicationsEndpoint(ProblemBoundary):
    """The ASGI endpoint for registering applications; routes and methods are the app's."""

    def __init__(self, publisher: Publisher, authenticator: Authenticator, clock: Clock) -> None:
        self._publisher = publisher
        self._authenticator = authenticator
        self._clock = clock

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Register the application in the key's account, and answer with what was registered."""
        principal = await self._authenticator.authenticate(scope, Role.PUBLISHER)
        if media_type(scope) != "application/json":
            raise UnsupportedMediaType("Content-Type must be application/json")
        body = await read_body(scope, receive, self._clock, max_bytes=RPC_BODY_BYTES)
        registered = await self._publisher.register_application(principal.account, body)
        await respond(send, 200, msgspec.json.encode(registered))
