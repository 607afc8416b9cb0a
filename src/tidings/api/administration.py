"""`POST /v1/webhooks/{id}/disable` and `…/enable`: a callback webhook by its administrator.

Ours, beside the Smartsheet contract, which knows the status and not how it comes about (2.2).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from starlette.types import Receive, Scope

from tidings.api.auth import Authenticator, Principal
from tidings.api.problem import ProblemBoundary
from tidings.api.responses import Answering, respond
from tidings.domain.key import Role
from tidings.domain.sheet_messages import print_sheet
from tidings.domain.sheet_refusal import SheetRefusal
from tidings.domain.sheet_webhook import sheet_number
from tidings.engine.sheets import Asker, Sheets, Standing
from tidings.errors import FailedPrecondition, NotFound


class AdministrationEndpoint(ProblemBoundary):
    """One of the two; the webhook's number is the path's `webhook_id`."""

    def __init__(
        self,
        act: Callable[[Asker, int], Awaitable[Standing]],
        authenticator: Authenticator,
    ) -> None:
        self._act = act
        self._authenticator = authenticator

    async def answer(self, scope: Scope, receive: Receive, answering: Answering) -> None:
        """Act on the webhook, and answer with it as it stands then, without its secret."""
        principal = await self._authenticator.authenticate(scope, Role.ADMIN)
        number = sheet_number(scope["path_params"]["webhook_id"])
        if number is None:
            raise NotFound("only a callback webhook, whose id is a number, can be disabled so")
        try:
            standing = await self._act(_asker(principal), number)
        except SheetRefusal as refusal:
            raise FailedPrecondition(refusal.message) from None
        shown = print_sheet(standing.webhook, standing.cursor)
        del shown["sharedSecret"]
        await respond(answering, 200, msgspec.json.encode(shown))


def administration(
    sheets: Sheets, authenticator: Authenticator
) -> dict[tuple[str, str], AdministrationEndpoint]:
    """Return the endpoints by method and path."""
    path = "/v1/webhooks/{webhook_id}"
    return {
        ("POST", f"{path}/disable"): AdministrationEndpoint(sheets.disable, authenticator),
        ("POST", f"{path}/enable"): AdministrationEndpoint(sheets.enable, authenticator),
    }


def _asker(principal: Principal) -> Asker:
    return Asker(account=principal.account, key_id=principal.key_id, name=principal.name)
