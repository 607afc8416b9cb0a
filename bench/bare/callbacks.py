"""The same framework, answering 200 and nothing else."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from bench.bare.server import serve


async def _app() -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return app


if __name__ == "__main__":
    serve(_app)
