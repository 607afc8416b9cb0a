"""What a write sees of the transaction that it shares with its group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw
import msgspec

from tidings.domain.instants import to_milliseconds
from tidings.domain.log_entry import Appended, NewEntry
from tidings.domain.positions import next_position
from tidings.errors import ClockAhead
from tidings.ports import Clock
from tidings.storage.clock_bound import ClockBound
from tidings.storage.rows.change_log import entry_rows, headers
from tidings.storage.rows.webhooks import json_text
from tidings.storage.sqlite.many_rows import ManyRows, Row
from tidings.storage.sqlite.queries import load_queries

_SQL = load_queries("change_log")
_LASTS, _ENTRIES = _SQL["last_positions"], ManyRows(_SQL["insert_entry"])
_LAST_POSITIONS = msgspec.json.Decoder(dict[int, int])


class Transaction:
    """One group's transaction: begun, so the write lock is held and time may become positions.

    `now_ms` is read after the lock was taken (mechanics L2, P4), in milliseconds since 1970.
    """

    def __init__(
        self, connection: apsw.Connection, clock: Clock, bound: ClockBound, *, hints: bool
    ) -> None:
        now = clock.now()
        self.connection = connection
        self.now_ms = to_milliseconds(now)
        self.appended: list[Appended] = []
        self._hints = hints
        self._clock_ahead = bound.is_passed(now)
        self._lasts: dict[int, int] = {}
        self._rows: list[Row] = []

    def check_clock(self) -> None:
        """Raise ClockAhead where the clock can't be believed (mechanics L8)."""
        if self._clock_ahead:
            raise ClockAhead("the server's clock runs over an hour ahead; nothing is taken by it")

    def insert(
        self, bucket: int, account: str, solution: str, entries: Sequence[NewEntry]
    ) -> tuple[int, int]:
        """Put entries at the bucket's next positions, in order; return the first and the last."""
        placed = self.place(bucket, account, solution, entries)
        self.insert_placed()
        return placed

    def insert_placed(self) -> None:
        """Insert what was placed."""
        _ENTRIES.insert(self.connection, self._rows)
        self._rows.clear()

    def learn_lasts(self, buckets: Iterable[int]) -> None:
        """Read the last positions of many buckets at once, for the places that follow."""
        unknown = set(buckets).difference(self._lasts)
        if unknown:
            found: str = self.connection.execute(_LASTS, (json_text(sorted(unknown)),)).get
            self._lasts |= _LAST_POSITIONS.decode(found)

    def place(
        self, bucket: int, account: str, solution: str, entries: Sequence[NewEntry]
    ) -> tuple[int, int]:
        """Give entries the bucket's next positions; `insert_placed` must follow.

        Returns the first and the last. At least one entry. Raises ClockAhead: positions can't go
        back.
        """
        self.check_clock()
        previous = self._last(bucket)
        first = next_position(previous, self.now_ms)
        last = first + len(entries) - 1
        self._rows += entry_rows(bucket, first, account, solution, entries)
        self._lasts[bucket] = last
        if self._hints:
            found = headers(bucket, first, account, solution, entries)
            self.appended.append(Appended(bucket, previous, found))
        return first, last

    def forget_undone(self, appended: int) -> None:
        """Forget what a write did that was undone: hints after the first `appended`, positions."""
        del self.appended[appended:]
        self._rows.clear()
        self._lasts.clear()

    def _last(self, bucket: int) -> int:
        self.learn_lasts((bucket,))
        return self._lasts[bucket]
