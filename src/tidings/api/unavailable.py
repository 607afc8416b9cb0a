"""Saying that a request can't be served now, as the service that it asks for says it."""

from __future__ import annotations

from starlette.types import Scope, Send

from tidings.api.problem import problem_of, respond_problem
from tidings.api.smartsuite import PREFIX
from tidings.api.twirp import respond_twirp_error
from tidings.errors import Unavailable


async def respond_unavailable(scope: Scope, send: Send, message: str) -> None:
    """Answer 503 with when to come back: by Twirp's rules or as a problem (contract 1.8, 3.2)."""
    error = Unavailable(message)
    if scope["path"].startswith(PREFIX):
        await respond_twirp_error(scope, send, error)
    else:
        await respond_problem(send, problem_of(error))
