"""Listing without the product: decode, one select over the covering index, splice, answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import apsw
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.bare.page import WISH, page_of
from bench.bare.server import answer, body_of, serve
from bench.traffic import ACCOUNT

_PAGE = (Path(__file__).parent / "page.sql").read_text()


async def _app() -> ASGIApp:
    file, bucket, solution = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    connection = apsw.Connection(file, flags=apsw.SQLITE_OPEN_READONLY)
    # As the product's: else each execution is planned anew, a fifth of the whole.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        wish = WISH.decode(await body_of(receive))
        after = (bucket, ACCOUNT, solution, int(wish.page_token), wish.page_size + 1)
        rows: list[Any] = connection.execute(_PAGE, after).fetchall()
        await answer(send, page_of(wish, solution, rows))

    return app


if __name__ == "__main__":
    serve(_app)
