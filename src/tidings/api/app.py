"""The ASGI application: which endpoint a request goes to.

Busy paths are found in one table and one prefix; what is left goes through Starlette's router,
which costs as much as a small request (design, measured).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tidings.api.administration import administration
from tidings.api.applications import ApplicationsEndpoint
from tidings.api.auth import Authenticator
from tidings.api.changes import ChangesEndpoint
from tidings.api.health import Readiness, ReadinessCheck, live
from tidings.api.metering import Meter, Rates
from tidings.api.smartsheet import PREFIX as SHEETS_PREFIX
from tidings.api.smartsheet import Smartsheet
from tidings.api.smartsuite import PREFIX, SmartSuite
from tidings.engine.listing import Listing
from tidings.engine.publish import Publisher
from tidings.engine.sheets import Sheets
from tidings.engine.webhooks import Webhooks
from tidings.ports import Clock, Storage


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What the API speaks for; built once by `serve`."""

    publisher: Publisher
    listing: Listing
    webhooks: Webhooks
    sheets: Sheets
    authenticator: Authenticator
    storage: Storage
    clock: Clock
    rates: Rates = field(default_factory=Rates)
    """How often one key may ask."""
    readiness: Sequence[ReadinessCheck] = ()
    """What else than the storage must be well for `/readyz`."""


def build_app(engine: Engine) -> ASGIApp:
    """Return the ASGI application."""
    return _App(engine)


def build_health_app(
    storage: Storage, clock: Clock, readiness: Sequence[ReadinessCheck]
) -> ASGIApp:
    """Return an application that says how a process is, and nothing else."""
    looked_at = Readiness(storage, clock, readiness)
    return _router({("GET", "/healthz"): live, ("GET", "/readyz"): looked_at})


class _App:
    def __init__(self, engine: Engine) -> None:
        authenticator, clock = engine.authenticator, engine.clock
        publisher = engine.publisher
        self._smartsuite = SmartSuite(
            webhooks=engine.webhooks,
            listing=engine.listing,
            authenticator=authenticator,
            clock=clock,
            meter=Meter(engine.rates.webhooks, clock),
        )
        self._smartsheet = Smartsheet(
            sheets=engine.sheets,
            authenticator=authenticator,
            clock=clock,
            meter=Meter(engine.rates.sheets, clock),
        )
        rate = engine.rates.publishing
        meter = None if rate is None else Meter(rate, clock)
        self._busy: dict[tuple[str, str], ASGIApp] = {
            ("POST", "/v1/changes"): ChangesEndpoint(publisher, authenticator, clock, meter),
            ("GET", "/healthz"): live,
            ("GET", "/readyz"): Readiness(engine.storage, clock, engine.readiness),
        }
        applications = ApplicationsEndpoint(publisher, authenticator, clock, meter)
        self._rest = _router(
            {
                ("POST", "/v1/applications"): applications,
                **administration(engine.sheets, authenticator),
                **self._busy,
            }
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request, or the server's start and end."""
        if scope["type"] == "lifespan":
            await _live_through(receive, send)
        elif scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith(PREFIX):
                endpoint: ASGIApp = self._smartsuite
            elif path.startswith(SHEETS_PREFIX):
                endpoint = self._smartsheet
            else:
                endpoint = self._busy.get((scope["method"], path), self._rest)
            await endpoint(scope, receive, send)


async def _live_through(receive: Receive, send: Send) -> None:
    """Answer the server's lifespan messages: what must start and stop is started by `serve`."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _router(endpoints: Mapping[tuple[str, str], ASGIApp]) -> Starlette:
    routes = [
        Route(path, _Endpoint(endpoint), methods=[method])
        for (method, path), endpoint in endpoints.items()
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _problem})
    app.router.redirect_slashes = False
    return app


class _Endpoint:
    """An ASGI application as Starlette knows one: an object, where a function means a view."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


_TITLES = {404: "Not Found", 405: "Method Not Allowed"}
_DETAILS = {404: "there is nothing at this path", 405: "this path doesn't take this method"}


async def _problem(request: Request, error: Exception) -> Response:
    """Say as problem+json (RFC 9457) that no endpoint has this path, or this method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    body = {
        "type": "about:blank",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": _DETAILS.get(status, "the request can't be answered"),
    }
    headers = error.headers if isinstance(error, HTTPException) else None
    return Response(
        msgspec.json.encode(body), status, headers, media_type="application/problem+json"
    )
