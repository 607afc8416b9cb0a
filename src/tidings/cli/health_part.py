"""`/healthz` and `/readyz` on a port of their own, for whoever looks after processes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from tidings.cli.http_server import HttpServer, configured
from tidings.domain import limits


@asynccontextmanager
async def health_served(app: ASGIApp, listener: socket.socket | None) -> AsyncIterator[None]:
    """Answer on the socket, if there is one, as long as the block runs; raise what hinders it.

    Also while a server starts and while it stops: it lives then, and isn't ready.
    """
    if listener is None:
        yield
        return
    config = configured(
        app, connections=limits.HEALTH_CONNECTIONS, drain_seconds=limits.READY_SECONDS
    )
    http = HttpServer(config, lambda: None)
    serving = asyncio.create_task(http.serve(sockets=[listener]))
    try:
        yield
    finally:
        http.should_exit = True
        await serving
