"""What API processes tell each other of the requests that they counted, on PostgreSQL."""

from __future__ import annotations

from tidings.domain import limits
from tidings.domain.count_note import CountNote, HeardCounts
from tidings.storage.postgres.connection import Database
from tidings.storage.postgres.queries import load_queries
from tidings.storage.rows.counts import counted_column, read_counted

_SQL = load_queries("counts")

_BUCKET = 0
"""Of all notes: whoever asks wants all of them, so they lie in one place."""
_DROP_EVERY = 40
"""Notes, which take ten seconds at least. Not with each: while somebody holds a snapshot for long,
what was dropped lies in the index still, and each drop reads through all of it."""
_KEPT_MS = round(limits.COUNT_NOTES_KEPT_SECONDS * 1_000)


class PostgresCountStore:
    """ports.CountStore on PostgreSQL. Each statement is a transaction that waits for no disk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tell(self, note: CountNote) -> None:
        """Leave a note; with the first and then each fortieth, drop those that lie for too long."""
        values = (note.teller, note.number, counted_column(note.counted))
        await self._database.fetch(_SQL["tell"], _BUCKET, *values)
        if note.number % _DROP_EVERY == 1:
            await self._database.fetch(_SQL["drop_old_notes"], _BUCKET, _KEPT_MS)

    async def hear(self, listener: str, since_ms: int) -> HeardCounts:
        """Return the notes that others left since then."""
        rows = await self._database.fetch(_SQL["hear"], _BUCKET, since_ms, listener)
        notes = [
            CountNote(row["teller"], row["number"], read_counted(row["counted"]))
            for row in rows
            if row["teller"] is not None
        ]
        return HeardCounts(rows[0]["now_ms"], notes)
