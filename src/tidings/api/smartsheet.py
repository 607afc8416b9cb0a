"""The Smartsheet contract's webhook service, REST under `/2.0` (contract 2.1 to 2.3, 2.7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from starlette.types import Receive, Scope, Send

from tidings.api.auth import Authenticator
from tidings.api.body import media_type, read_body
from tidings.api.metering import Meter
from tidings.api.query import read_query
from tidings.api.responses import Answering, respond
from tidings.api.sheet_errors import respond_method_not_supported, respond_sheet_error
from tidings.domain.key import Role
from tidings.domain.limits import RPC_BODY_BYTES, SHEETS_PAGE_SIZE
from tidings.domain.sheet_messages import print_sheet
from tidings.domain.sheet_refusal import invalid_parameter
from tidings.domain.sheet_webhook import sheet_number
from tidings.engine.sheets import Asker, SheetPage, Sheets, Standing
from tidings.engine.verifier import REFERENCE_BYTES, reference_id
from tidings.errors import NotFound, UnsupportedMediaType
from tidings.ports import Clock

PREFIX: Final = "/2.0/"
_PAGE_DIGITS: Final = 9
"""Of a page's number, and of a size: more webhooks than that no account has."""

Answer = Mapping[str, Any]


class Call(msgspec.Struct, frozen=True):
    """One request, taken apart."""

    asker: Asker
    number: int
    """The webhook's; 0 where the path names none."""
    body: bytes
    query: Mapping[str, str]


_Operation = Callable[[Call], Awaitable[Answer]]


class Smartsheet:
    """The service as an ASGI application; it is given every request under PREFIX."""

    def __init__(
        self, *, sheets: Sheets, authenticator: Authenticator, clock: Clock, meter: Meter
    ) -> None:
        self._sheets = sheets
        self._authenticator = authenticator
        self._clock = clock
        self._meter = meter
        self._of_all: dict[str, _Operation] = {"GET": self._list, "POST": self._create}
        self._of_one: dict[str, _Operation] = {
            "GET": self._get,
            "PUT": self._update,
            "DELETE": self._delete,
        }
        self._of_secret: dict[str, _Operation] = {"POST": self._reset_secret}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong is told as the contract does (2.7)."""
        answering = Answering(send)
        try:
            operations, number = self._route(scope["path"])
            operation = operations.get(scope["method"])
            if operation is None:
                await respond_method_not_supported(answering, list(operations), self._reference())
                return
            answer = await self._run(operation, number, scope, receive, answering)
        except Exception as error:  # noqa: BLE001 - logged and told there
            await respond_sheet_error(scope, answering, error, self._reference())
        else:
            await respond(answering, 200, msgspec.json.encode(answer))

    def _route(self, path: str) -> tuple[dict[str, _Operation], int]:
        """Return what a path takes, and the webhook's number in it; raises NotFound."""
        match path.removeprefix(PREFIX).split("/"):
            case ["webhooks"]:
                return self._of_all, 0
            case ["webhooks", digits]:
                return self._of_one, _number(digits)
            case ["webhooks", digits, action] if action.lower() == "resetsharedsecret":
                return self._of_secret, _number(digits)
        raise NotFound("there is nothing at this path")

    async def _run(
        self,
        operation: _Operation,
        number: int,
        scope: Scope,
        receive: Receive,
        answering: Answering,
    ) -> Answer:
        count = self._meter.of(answering)
        principal = await self._authenticator.authenticate(scope, Role.SUBSCRIBER, count)
        body = b""
        if operation in (self._create, self._update):
            if media_type(scope) != "application/json":
                raise UnsupportedMediaType("Send Content-Type: application/json.")
            body = await read_body(scope, receive, self._clock, max_bytes=RPC_BODY_BYTES)
        asker = Asker(account=principal.account, key_id=principal.key_id, name=principal.name)
        return await operation(Call(asker, number, body, read_query(scope)))

    async def _create(self, call: Call) -> Answer:
        return _written(await self._sheets.create(call.asker, call.body))

    async def _get(self, call: Call) -> Answer:
        return _printed(await self._sheets.get(call.asker.account, call.number))

    async def _list(self, call: Call) -> Answer:
        page = await self._sheets.list(
            call.asker.account,
            number=_whole(call.query, "page", 1),
            size=_whole(call.query, "pageSize", SHEETS_PAGE_SIZE),
            everything=_flag(call.query, "includeAll"),
        )
        return _printed_page(page)

    async def _update(self, call: Call) -> Answer:
        return _written(await self._sheets.update(call.asker, call.number, call.body))

    async def _delete(self, call: Call) -> Answer:
        await self._sheets.delete(call.asker.account, call.number)
        return _SUCCESS

    async def _reset_secret(self, call: Call) -> Answer:
        secret = await self._sheets.reset_secret(call.asker, call.number)
        return {**_SUCCESS, "result": {"sharedSecret": secret}}

    def _reference(self) -> str:
        return reference_id(self._clock.entropy(REFERENCE_BYTES))


_SUCCESS: Final = {"message": "SUCCESS", "resultCode": 0}


def _number(digits: str) -> int:
    number = sheet_number(digits)
    if number is None:
        raise NotFound("there is no such webhook")
    return number


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    """Return a whole number of the query, from 1 on."""
    text = query.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= _PAGE_DIGITS and int(text) > 0):
        raise invalid_parameter(name, "it must be a whole number from 1 on.")
    return int(text)


def _flag(query: Mapping[str, str], name: str) -> bool:
    text = (query.get(name) or "false").lower()
    if text not in ("true", "false"):
        raise invalid_parameter(name, "it must be true or false.")
    return text == "true"


def _printed(standing: Standing) -> Answer:
    return print_sheet(standing.webhook, standing.cursor)


def _written(standing: Standing) -> Answer:
    return {**_SUCCESS, "result": _printed(standing)}


def _printed_page(page: SheetPage) -> Answer:
    return {
        "pageNumber": page.number,
        "pageSize": page.size,
        "totalPages": page.pages,
        "totalCount": page.total,
        "data": [_printed(standing) for standing in page.webhooks],
    }
