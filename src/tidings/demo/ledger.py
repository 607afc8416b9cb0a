"""What the demo's receiver keeps in its own SQLite file, and the one transaction that moves it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import msgspec

from tidings.client import Event, EventsPage
from tidings.demo.source import Record, Table
from tidings.sql_files import named_queries

_SQL = named_queries((files(__package__) / "ledger.sql").read_text(encoding="utf-8"))


class ReceivedPing(msgspec.Struct, frozen=True):
    """A ping that came; `received_at` in seconds of the machine's monotonic clock."""

    identity: str
    covered: int
    received_at: float


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the receiver has read, and counters of what must not happen."""

    token: str | None
    last_position: int
    pages: int
    events: int
    repeated: int
    out_of_order: int
    wrong_previous: int
    """Updates whose `previous` isn't what the rebuilt table held."""


class Ledger:
    """The receiver's file; one connection for its threads."""

    def __init__(self, path: Path) -> None:
        # A crash must not lose what was kept: the journal is synced at each commit.
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = wal")
        self._connection.execute("PRAGMA synchronous = full")
        self._connection.executescript(_SQL["schema"])
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def add_ping(self, ping: ReceivedPing) -> None:
        """Keep a ping, durably."""
        with self._lock:
            self._connection.execute(_SQL["add_ping"], msgspec.structs.astuple(ping))

    def pings(self) -> tuple[ReceivedPing, ...]:
        """Return all pings that were kept, in the order of their coming."""
        with self._lock:
            return tuple(ReceivedPing(*row) for row in self._connection.execute(_SQL["pings"]))

    def progress(self) -> Progress:
        """Return how far it has read."""
        with self._lock:
            return self._progress()

    def unread(self) -> bool:
        """Whether a ping told of more than was read: also one from before a crash."""
        with self._lock:
            (covered,) = self._connection.execute(_SQL["newest_covered"]).fetchone()
            token = self._progress().token
        return int(covered) > int(token or 0)

    def apply(self, page: EventsPage) -> Progress:
        """Take a page: its events, the counters and its token, in one transaction."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                progress = self._apply(page.events, self._progress())
                progress = msgspec.structs.replace(
                    progress, token=page.next_page_token, pages=progress.pages + 1
                )
                row = msgspec.structs.astuple(progress)
                self._connection.execute(_SQL["set_progress"], row)
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
        return progress

    def table(self) -> Table:
        """Return the rebuilt table."""
        with self._lock:
            rows = self._connection.execute(_SQL["records"]).fetchall()
        return {key: msgspec.json.decode(record, type=Record) for key, record in rows}

    def _progress(self) -> Progress:
        row = self._connection.execute(_SQL["progress"]).fetchone()
        return Progress(**dict(zip(Progress.__struct_fields__, row, strict=True)))

    def _apply(self, events: Iterable[Event], progress: Progress) -> Progress:
        for event in events:
            added = self._connection.execute(_SQL["add_applied"], (event.event_id,)).rowcount
            wrong = self._apply_to_table(event)
            progress = msgspec.structs.replace(
                progress,
                events=progress.events + 1,
                repeated=progress.repeated + (added == 0),
                out_of_order=progress.out_of_order + (event.position <= progress.last_position),
                wrong_previous=progress.wrong_previous + wrong,
                last_position=event.position,
            )
        return progress

    def _apply_to_table(self, event: Event) -> bool:
        """Apply an event to the table; return whether its `previous` contradicts it."""
        change = event.record_event_data
        if change is None:
            return False
        key = change.record_id
        found = self._connection.execute(_SQL["record"], (key,)).fetchone()
        held: Record = msgspec.json.decode(found[0]) if found else {}
        if event.kind == "RECORD_DELETED":
            self._connection.execute(_SQL["delete_record"], (key,))
        else:
            record = msgspec.json.encode(change.data).decode()
            self._connection.execute(_SQL["put_record"], (key, record))
        return any(held.get(field) != value for field, value in change.previous.items())
