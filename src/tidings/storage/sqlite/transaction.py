"""What a write sees of the transaction that it shares with its group."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import msgspec

from tidings.domain.instants import to_milliseconds
from tidings.domain.log_entry import Appended, Header, NewEntry
from tidings.domain.positions import next_position
from tidings.ports import Clock
from tidings.storage.sqlite.queries import load_queries

_SQL = load_queries("change_log")
_LAST, _INSERT = _SQL["last_position"], _SQL["insert_entry"]


class Transaction:
    """One group's transaction: begun, so the write lock is held and time may become positions.

    `now_ms` is read after the lock was taken (mechanics L2, P4), in milliseconds since 1970.
    """

    def __init__(self, connection: apsw.Connection, clock: Clock, *, hints: bool) -> None:
        self.connection = connection
        self.now_ms = to_milliseconds(clock.now())
        self.appended: list[Appended] = []
        self._hints = hints
        self._lasts: dict[int, int] = {}

    def next_position(self, bucket: int) -> int:
        """Return the position that the bucket's next entry gets."""
        return next_position(self._last(bucket), self.now_ms)

    def insert(
        self, bucket: int, account: str, solution: str, entries: Sequence[NewEntry]
    ) -> tuple[int, int]:
        """Put entries at the bucket's next positions, in order; return the first and the last."""
        previous = self._last(bucket)
        first = next_position(previous, self.now_ms)
        rows = [
            (
                bucket,
                position,
                account,
                solution,
                entry.application,
                entry.kind,
                entry.mask,
                entry.subject,
                None if entry.changed is None else msgspec.json.encode(entry.changed).decode(),
                entry.by,
                entry.change_agent,
                entry.body,
            )
            for position, entry in enumerate(entries, start=first)
        ]
        self.connection.executemany(_INSERT, rows)
        last = first + len(rows) - 1
        self._lasts[bucket] = last
        if self._hints:
            headers = _headers(bucket, first, account, solution, entries)
            self.appended.append(Appended(bucket, previous, headers))
        return first, last

    def forget_undone(self, appended: int) -> None:
        """Forget what a write did that was undone: hints after the first `appended`, positions."""
        del self.appended[appended:]
        self._lasts.clear()

    def _last(self, bucket: int) -> int:
        last = self._lasts.get(bucket)
        if last is None:
            [(last, _)] = self.connection.execute(_LAST, (bucket,))
            self._lasts[bucket] = last
        return last


def _headers(
    bucket: int, first: int, account: str, solution: str, entries: Sequence[NewEntry]
) -> tuple[Header, ...]:
    return tuple(
        Header(
            bucket=bucket,
            position=position,
            account=account,
            solution=solution,
            kind=entry.kind,
            application=entry.application,
            subject=entry.subject,
            changed=entry.changed,
        )
        for position, entry in enumerate(entries, start=first)
    )
