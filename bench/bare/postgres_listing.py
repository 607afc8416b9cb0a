"""Listing from PostgreSQL without the product: decode, one select, splice, answer.

`python -m bench.bare.postgres_listing URL BUCKET SOLUTION`. As many connections as the product's
pool has, lent without a round trip.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import asyncpg
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.bare.page import WISH, page_of
from bench.bare.postgres import connect
from bench.bare.server import answer, body_of, serve
from bench.traffic import ACCOUNT
from tidings.domain import limits

_PAGE = (Path(__file__).parent / "postgres_page.sql").read_text()


async def _app() -> ASGIApp:
    url, bucket, solution = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    idle: asyncio.LifoQueue[asyncpg.Connection] = asyncio.LifoQueue()
    for _ in range(limits.DATABASE_CONNECTIONS):
        idle.put_nowait(await connect(url))

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        wish = WISH.decode(await body_of(receive))
        after = (bucket, ACCOUNT, solution, int(wish.page_token), wish.page_size + 1)
        connection = await idle.get()
        try:
            rows = await connection.fetch(_PAGE, *after)
        finally:
            idle.put_nowait(connection)
        await answer(send, page_of(wish, solution, rows))

    return app


if __name__ == "__main__":
    serve(_app)
