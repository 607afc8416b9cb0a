"""Publishing without the product: read, decode, splice, group commit, answer.

The same table with the same two indexes, the same bytes, the same durability; no keys, no
idempotency, no rules, no hints, and nobody who follows the log.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from itertools import chain, count
from pathlib import Path

import apsw
import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.bare.publication import PUBLICATION, Row, entry_row
from bench.bare.server import answer, body_of, serve

_INSERT = (Path(__file__).parent / "insert_entry.sql").read_text()
_VALUES = _INSERT[_INSERT.rindex("(") :].strip()
_SIZES = (64, 16, 4, 1)
_INSERTS = {size: _INSERT.strip() + f", {_VALUES}" * (size - 1) for size in _SIZES}


class GroupCommit:
    """A thread that inserts all that waits in one durable transaction."""

    def __init__(self, file: str) -> None:
        self._connection = apsw.Connection(file)
        self._connection.pragma("journal_mode", "wal")
        self._connection.pragma("synchronous", "full")
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[tuple[list[Row], asyncio.Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    async def append(self, rows: list[Row]) -> None:
        """Insert rows; return once they are durable."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((rows, done))
        await done

    def _run(self) -> None:
        while True:
            group = [self._queue.get()]
            while not self._queue.empty():
                group.append(self._queue.get())
            rows = list(chain.from_iterable(rows for rows, _ in group))
            self._connection.execute("BEGIN IMMEDIATE")
            done = 0
            for size, statement in _INSERTS.items():
                while len(rows) - done >= size:
                    values = tuple(chain.from_iterable(rows[done : done + size]))
                    self._connection.execute(statement, values)
                    done += size
            self._connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_settle, [future for _, future in group])


def _settle(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


async def _app() -> ASGIApp:
    log = GroupCommit(sys.argv[1])
    positions = count(1)

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        publication = PUBLICATION.decode(await body_of(receive))
        solution = publication.solution_id
        rows = [entry_row(change, next(positions), solution) for change in publication.changes]
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
