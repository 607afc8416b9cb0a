"""uvicorn and CPython as the product runs them, for an app without the product."""

from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Awaitable, Callable

import uvicorn
import uvloop
from starlette.types import ASGIApp, Receive, Send

from tidings.cli.serve import tune_interpreter
from tidings.domain import limits


async def body_of(receive: Receive) -> bytes:
    """Return a request's body."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def answer(send: Send, body: bytes) -> None:
    """Answer 200 with a body of JSON."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve(made: Callable[[], Awaitable[ASGIApp]]) -> None:
    """Serve an app, made inside the event loop, on a free port, and say which."""
    tune_interpreter()
    uvloop.run(_serve(made))


async def _serve(made: Callable[[], Awaitable[ASGIApp]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            await made(),
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=limits.CONNECTIONS,
            timeout_keep_alive=limits.KEEP_ALIVE_SECONDS,
        )
        port = listener.getsockname()[1]
        gc.freeze()
        sys.stderr.write(f"listening on http://127.0.0.1:{port}\n")
        await uvicorn.Server(config).serve(sockets=[listener])
