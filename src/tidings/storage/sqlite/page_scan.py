"""One page, read in slices of bounded time from one bound (mechanics P1, P2, P5)."""

from __future__ import annotations

from datetime import datetime

import apsw
import msgspec

from tidings.domain import limits
from tidings.domain.filter import (
    Span,
    covered_applications,
    covered_fields,
    field_mask,
    spans,
)
from tidings.domain.kinds import kind_bits
from tidings.domain.log_entry import Page, PageEntry, PageQuery, Standing
from tidings.ports import Clock
from tidings.storage.rows.change_log import passes, read_standing
from tidings.storage.sqlite.connection import snapshot
from tidings.storage.sqlite.queries import load_queries

_SQL = load_queries("change_log")
_HEAD, _SLICE_END = _SQL["last_position"], _SQL["slice_end"]
_SCAN, _LAST_OF_SOLUTION = _SQL["scan_span"], _SQL["last_of_solution"]
_STANDING = _SQL["standing"]

_ROWS_A_LOOK = 16
"""Rows between two looks at the clock, which cost a third of a row; even large ones are read in a
millisecond or two."""


class PageScan:
    """The state of one page between its slices; each slice is a read transaction of its own.

    The first slice's snapshot sets the bound, so that the page and its token come from one
    snapshot however many slices follow; each slice reads the retention floor again.
    """

    def __init__(self, query: PageQuery, clock: Clock, read_at: datetime) -> None:
        self.done = False
        self._query = query
        self._clock = clock
        self._read_at = read_at
        self._give_up_at = clock.monotonic() + query.budget_seconds
        self._scanned = query.after
        self._bound: int | None = None
        self._floor = 0
        self._entries: list[PageEntry] = []
        self._bytes = 0
        self._end = query.after
        self._has_more = False
        self._standing: Standing | None = None
        # Most pages are full within a few rows: finding the end of a long slice, which walks over
        # all of its rows, would cost them more than all the rest. So slices begin short, and grow.
        self._slice_rows = max(limits.FIRST_SLICE_ROWS, query.limit + 1)

    def read_slice(
        self, connection: apsw.Connection, seconds: float = limits.SCAN_SLICE_SECONDS
    ) -> None:
        """Scan the next rows in one snapshot, for `seconds` at most.

        `done` says whether the page is whole.
        """
        cut_at = self._clock.monotonic() + seconds
        with snapshot(connection):
            [(last, self._floor)] = connection.execute(_HEAD, (self._query.bucket,))
            if self._bound is None:
                self._bound = last
                self._standing = self._read_standing(connection)
            self._scanned = max(self._scanned, self._floor)
            slice_end = self._slice_end(connection, self._bound)
            until = self._bound if slice_end is None else slice_end
            for span in spans(self._query.revisions, self._scanned, until):
                if self._scan_span(connection, span, cut_at):
                    break
            else:
                self._scanned = max(self._scanned, until)
                if slice_end is None:
                    self._finish(self._last_of_solution(connection, self._bound), has_more=False)
        if not self.done and self._clock.monotonic() >= self._give_up_at:
            self._finish(self._scanned, has_more=True)

    def page(self) -> Page:
        """Return the page, once it is done."""
        return Page(
            entries=tuple(self._entries),
            end=self._end,
            has_more=self._has_more,
            floor=self._floor,
            bucket_last=self._bound or 0,
            read_at=self._read_at,
            standing=self._standing,
        )

    def _scan_span(self, connection: apsw.Connection, span: Span, cut_at: float) -> bool:
        """Take what matches in one span; True where the slice ends with it."""
        watched = covered_fields(span.revision.filter)
        entries, limit, max_bytes = self._entries, self._query.limit, self._query.max_bytes
        taken, taken_bytes = len(entries), self._bytes
        rows = connection.execute(_SCAN, self._bindings(span))
        try:
            # All in one place: calls for each row would cost a large page more than SQLite does.
            for number, (position, changed, body) in enumerate(rows):
                if not watched or passes(watched, changed):
                    if taken >= limit or taken_bytes >= max_bytes:
                        self._finish(entries[-1].position, has_more=True)
                        return True
                    entries.append(PageEntry(position, body))
                    taken += 1
                    taken_bytes += len(body)
                if number % _ROWS_A_LOOK == 0 and self._clock.monotonic() >= cut_at:
                    self._scanned = position
                    return True
        finally:
            self._bytes = taken_bytes
            rows.close(True)
        return False

    def _bindings(self, span: Span) -> dict[str, apsw.SQLiteValue]:
        wanted = span.revision.filter
        applications = covered_applications(wanted)
        watched = covered_fields(wanted)
        return {
            "bucket": self._query.bucket,
            "account": self._query.account,
            "solution": self._query.solution,
            "after": span.after,
            "until": span.until,
            "kind_bits": kind_bits(span.revision.kinds),
            "applications": (
                None if applications is None else msgspec.json.encode(applications).decode()
            ),
            "mask": field_mask(watched) if watched else None,
        }

    def _finish(self, end: int, *, has_more: bool) -> None:
        self._end = max(end, self._query.after)
        self._has_more = has_more
        self.done = True

    def _slice_end(self, connection: apsw.Connection, bound: int) -> int | None:
        """Return where a full slice ends, or None where the bound comes first."""
        query = self._query
        rows = self._slice_rows
        self._slice_rows = min(rows * limits.SLICE_GROWTH, limits.SCAN_SLICE_ROWS)
        place = (query.bucket, query.account, query.solution, self._scanned, bound, rows - 1)
        end: int | None = connection.execute(_SLICE_END, place).get
        return end

    def _read_standing(self, connection: apsw.Connection) -> Standing | None:
        query = self._query
        if query.webhook_id is None:
            return None
        place = (query.bucket, query.webhook_id)
        return read_standing(connection.execute(_STANDING, place).fetchall())

    def _last_of_solution(self, connection: apsw.Connection, bound: int) -> int:
        query = self._query
        place = (query.bucket, query.account, query.solution, bound)
        return connection.execute(_LAST_OF_SOLUTION, place).get or 0
