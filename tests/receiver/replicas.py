"""A consumer that rebuilds a table from events, in each of the databases that keep its place.

Beside the table it keeps a row for each event that it applied, without any constraint: whatever is
done twice, left out or done in the wrong order is seen there.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any

import asyncpg
import psycopg
import sqlalchemy
from sqlalchemy.orm import Session, sessionmaker

from tidings.client import AsyncClient, Client, Event, EventsPage
from tidings.receiver.follower import (
    AsyncFollower,
    AsyncpgPlaces,
    Follower,
    PsycopgPlaces,
    SqlalchemyPlaces,
    SqlitePlaces,
)

KINDS = ("sqlite3", "psycopg", "sqlalchemy", "asyncpg")
PARTED = ("sqlite3, place first", "sqlite3, work first")
"""Stores that part work and place: what a replica of theirs has to show."""
TABLES = (
    "CREATE TABLE record (id text PRIMARY KEY, data text NOT NULL)",
    "CREATE TABLE applied (n {serial} PRIMARY KEY, position bigint NOT NULL)",
)
PUT = (
    "INSERT INTO record (id, data) VALUES (:id, :data) "
    "ON CONFLICT (id) DO UPDATE SET data = excluded.data"
)
DROP = "DELETE FROM record WHERE id = :id"
NOTE = "INSERT INTO applied (position) VALUES (:position)"

Mishap = Callable[[str], None]
"""Called in the middle of a page ("event"), and after the work on it, before its token ("work")."""
Table = dict[str, dict[str, str]]


def effects(event: Event) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return what an event does to the replica, as statements."""
    change = event.record_event_data
    assert change is not None
    if event.kind == "RECORD_DELETED":
        yield DROP, {"id": change.record_id}
    else:
        yield PUT, {"id": change.record_id, "data": json.dumps(change.data)}
    yield NOTE, {"position": event.position}


class Replica:
    """One consumer; `url` is a PostgreSQL's, or a SQLite file's path."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        self.url = url

    @property
    def _on_sqlite(self) -> bool:
        return self.kind.startswith("sqlite3")

    def make_tables(self) -> None:
        """Make the consumer's tables, and the follower's."""
        serial = "integer" if self._on_sqlite else "serial"
        statements = [text.format(serial=serial) for text in TABLES]
        if self._on_sqlite:
            with closing(sqlite3.connect(self.url)) as file:
                for statement in statements:
                    file.execute(statement)
            return
        with psycopg.connect(self.url) as connection:
            for statement in statements:
                connection.execute(statement.encode())
        PsycopgPlaces(lambda: psycopg.connect(self.url)).make_table()

    def follow(
        self,
        server: tuple[str, str],
        webhook_id: str,
        *,
        clock: Any,
        mishap: Mishap,
        last: int,
        page_size: int,
    ) -> None:
        """Follow until the event at the position `last` is applied."""
        wishes: dict[str, Any] = {"clock": clock, "page_size": page_size, "every_seconds": 1}
        wishes["on_failure"] = lambda *_: None
        if self.kind == "asyncpg":
            asyncio.run(self._follow(server, webhook_id, mishap, last, wishes))
            return
        places, execute, close = self._blocking()
        with Client(*server, pause=lambda _: None) as client:

            def apply(page: EventsPage, transaction: Any) -> None:
                for event in page.events:
                    for statement, values in effects(event):
                        execute(transaction, statement, values)
                    mishap("event")
                    if event.position >= last:
                        follower.stop()
                mishap("work")

            follower = Follower(client, webhook_id, places, on_page=apply, **wishes)
            follower.run()
        close()

    def _blocking(self) -> tuple[Any, Callable[..., Any], Callable[[], None]]:
        if self._on_sqlite:
            sqlite = SqlitePlaces(self.url) if self.kind == "sqlite3" else Parted(self)
            return sqlite, lambda file, text, values: file.execute(text, values), sqlite.close
        if self.kind == "psycopg":
            held = psycopg.connect(self.url)

            def execute(connection: Any, text: str, values: dict[str, Any]) -> None:
                connection.execute(re.sub(r":([a-z]+)", r"%(\1)s", text), values)

            return PsycopgPlaces(lambda: _lent(held)), execute, held.close
        engine = sqlalchemy.create_engine(self.url.replace("postgresql:", "postgresql+psycopg:"))

        def execute_text(session: Session, text: str, values: dict[str, Any]) -> None:
            session.execute(sqlalchemy.text(text), values)

        return SqlalchemyPlaces(sessionmaker(engine)), execute_text, engine.dispose

    async def _follow(
        self,
        server: tuple[str, str],
        webhook_id: str,
        mishap: Mishap,
        last: int,
        wishes: dict[str, Any],
    ) -> None:
        async def pause(_: float) -> None:
            """Take no time."""

        held = await asyncpg.connect(self.url)

        @asynccontextmanager
        async def lent() -> Any:
            yield held

        async def apply(page: EventsPage, connection: Any) -> None:
            for event in page.events:
                for statement, values in effects(event):
                    await connection.execute(_numbered(statement), *values.values())
                mishap("event")
                if event.position >= last:
                    follower.stop()
            mishap("work")

        async with AsyncClient(*server, pause=pause) as client:
            places: AsyncpgPlaces[Any] = AsyncpgPlaces(lent)
            follower = AsyncFollower(client, webhook_id, places, on_page=apply, **wishes)
            await follower.run()
        await held.close()

    def read(self) -> tuple[Table, list[int]]:
        """Return the table, and the positions that were applied in the order of their coming."""
        if self._on_sqlite:
            with closing(sqlite3.connect(self.url)) as file:
                return self._read(lambda text: file.execute(text).fetchall())
        with psycopg.connect(self.url) as connection:
            return self._read(lambda text: connection.execute(text.encode()).fetchall())

    def _read(self, ask: Callable[[str], list[Any]]) -> tuple[Table, list[int]]:
        table = {key: json.loads(data) for key, data in ask("SELECT id, data FROM record")}
        return table, [position for (position,) in ask("SELECT position FROM applied ORDER BY n")]


class Parted:
    """A store as one writes it without thinking: work and place in transactions of their own."""

    def __init__(self, replica: Replica) -> None:
        self._place_first = replica.kind.endswith("place first")
        self._places = SqlitePlaces(replica.url)
        self._file = sqlite3.connect(replica.url, isolation_level=None)
        self._file.execute("PRAGMA synchronous = OFF")

    def close(self) -> None:
        """Close the file."""
        self._places.close()
        self._file.close()

    def load(self, webhook_id: str) -> str:
        """Return a webhook's place."""
        return self._places.load(webhook_id)

    @contextmanager
    def moving(self, webhook_id: str, old: str, new: str) -> Iterator[sqlite3.Connection]:
        """Move before the work, or after it."""
        if self._place_first:
            self._move(webhook_id, old, new)
        yield self._file
        if not self._place_first:
            self._move(webhook_id, old, new)

    def _move(self, webhook_id: str, old: str, new: str) -> None:
        with self._places.moving(webhook_id, old, new):
            pass


class _lent:  # noqa: N801 - a context manager, as a pool's
    """A connection that is not closed at the end of a transaction."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def __enter__(self) -> psycopg.Connection[Any]:
        return self._connection

    def __exit__(self, *_: object) -> None:
        """Leave it open."""


def _numbered(text: str) -> str:
    names = list(dict.fromkeys(re.findall(r":([a-z]+)", text)))
    return re.sub(r":([a-z]+)", lambda found: f"${names.index(found[1]) + 1}", text)
