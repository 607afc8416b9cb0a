"""Publishing into PostgreSQL without the product: read, decode, splice, one COPY a group, answer.

The same partitioned table with the same two indexes, the same bytes, the same durability. One
connection copies whatever waits when its last commit returns; a COPY is a transaction by itself. No
head locks, no idempotency, no rules, no lanes, and nobody who follows the log.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from itertools import chain, count

import asyncpg
import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.bare.postgres import connect
from bench.bare.publication import PUBLICATION, Row, entry_row
from bench.bare.server import answer, body_of, serve
from tidings.clock import SystemClock
from tidings.domain.positions import PER_MILLISECOND

_COLUMNS = (
    "bucket",
    "position",
    "account",
    "solution",
    "application",
    "kind",
    "mask",
    "subject",
    "changed",
    "by",
    "change_agent",
    "body",
)


class GroupCommit:
    """One connection that copies all that waits, durably."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._waiting: deque[tuple[list[Row], asyncio.Future[None]]] = deque()
        self._queued = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def append(self, rows: list[Row]) -> None:
        """Insert rows; return once they are durable."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, done))
        self._queued.set()
        await done

    async def _run(self) -> None:
        while True:
            await self._queued.wait()
            group = list(self._waiting)
            self._waiting.clear()
            self._queued.clear()
            await self._connection.copy_records_to_table(
                "change_log",
                records=list(chain.from_iterable(rows for rows, _ in group)),
                columns=_COLUMNS,
            )
            for _, done in group:
                if not done.done():
                    done.set_result(None)


async def _app() -> ASGIApp:
    log = GroupCommit(await connect(sys.argv[1]))
    # A position is a time: it says in which day's table the row lies.
    now_ms = int(SystemClock().now().timestamp() * 1000)
    positions = count(now_ms * PER_MILLISECOND)

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        publication = PUBLICATION.decode(await body_of(receive))
        rows = [
            entry_row(change, next(positions), publication.solution_id)
            for change in publication.changes
        ]
        await log.append(rows)
        receipt = {
            "accepted": len(rows),
            "suppressed": 0,
            "batch_id": "4b2ed20d-6f00-4b0c-8fac-082182aa9aad",
            "first_position": rows[0][1],
            "last_position": rows[-1][1],
        }
        await answer(send, msgspec.json.encode(receipt))

    return app


if __name__ == "__main__":
    serve(_app)
