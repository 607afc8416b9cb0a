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
async def health_served(
    app: ASGIApp, listener: socket.socket | None, ended: asyncio.Event
) -> AsyncIterator[None]:
    """Answer on the socket, if there is one, as long as the block runs; raise what hinders it.

    Also while a server starts and while it stops: it lives then, and isn't ready. `ended` is set
    where this ends by itself.
    """
    if listener is None:
        yield
        return
    config = configured(
        app, connections=limits.HEALTH_CONNECTIONS, drain_seconds=limits.READY_SECONDS
    )
    begun = asyncio.Event()
    http = HttpServer(config, begun.set)
    serving = asyncio.create_task(http.serve(sockets=[listener]))
    serving.add_done_callback(lambda _: begun.set())
    serving.add_done_callback(lambda _: ended.set())
    await begun.wait()
    try:
        if not serving.done():
            yield
    finally:
        http.should_exit = True
        await serving
