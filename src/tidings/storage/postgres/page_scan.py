"""One page, read in slices of bounded length from one bound (mechanics P1, P2)."""

from __future__ import annotations

from tidings.domain import limits
from tidings.domain.filter import (
    Revision,
    Span,
    covered_applications,
    covered_fields,
    field_mask,
    spans,
)
from tidings.domain.instants import from_milliseconds
from tidings.domain.kinds import kind_bits
from tidings.domain.lifecycle import Stage
from tidings.domain.log_entry import Page, PageEntry, PageQuery, Standing
from tidings.domain.positions import DAY_MS, PER_MILLISECOND
from tidings.ports import Clock
from tidings.storage.clock_bound import ClockBound
from tidings.storage.postgres.connection import Database
from tidings.storage.postgres.queries import load_queries
from tidings.storage.rows.change_log import passes

_SQL = load_queries("change_log")
_ROWS, _HEAD = _SQL["page_rows"], _SQL["page_head"]
_SCAN, _SCAN_WHOLE = _SQL["scan_span"], _SQL["scan_whole_span"]
_DAY = DAY_MS * PER_MILLISECOND
_WHOLE = (None, None)
"""Applications and fields of a filter that passes a whole solution."""
_NO_END = 1 << 62
"""Behind all positions."""


class PageScan:
    """The state of one page between its slices.

    Most pages of a whole solution that are full are one statement: their last row is their end,
    and whatever comes before it is in the snapshot that shows it.

    Each slice is two statements: where it ends, then its rows. The first slice's bound stands for
    the whole page: positions are given in commit order, so whatever is read later up to the bound
    is what its snapshot saw, but for what retention drops; for that each read of rows brings the
    floor of its own moment along.
    """

    def __init__(
        self, query: PageQuery, database: Database, clock: Clock, clock_bound: ClockBound
    ) -> None:
        self.done = False
        self._query = query
        self._database = database
        self._clock = clock
        self._clock_bound = clock_bound
        self._give_up_at = clock.monotonic() + query.budget_seconds
        self._scanned = query.after
        self._reached = query.after
        """The last of the solution's positions that was seen, or the token."""
        self._bound: int | None = None
        self._read_at_ms = 0
        self._floor = 0
        self._entries: list[PageEntry] = []
        self._bytes = 0
        self._end = query.after
        self._has_more = False
        self._standing: Standing | None = None
        # Most pages are full within a few rows: finding the end of a long slice, which walks over
        # all of its rows, would cost them more than all the rest. So slices begin short, and grow.
        self._slice_rows = max(limits.FIRST_SLICE_ROWS, query.limit + 1)

    async def read_rows(self) -> None:
        """Take the next rows where one revision covers a whole solution; the page may be full."""
        query = self._query
        found = [*spans(query.revisions, query.after, _NO_END)]
        kinds, *exact = bindings(found[0].revision) if found else (0,)
        if len(found) != 1 or (*exact,) != _WHOLE:
            return  # what passes is found on the index first, or by one filter and then another
        [span] = found
        rows = await self._database.fetch(
            _ROWS,
            *(query.bucket, query.account, query.solution, span.after),
            # Today and yesterday, mostly: a quiet webhook's token is yesterday's beginning (P2).
            (span.after // _DAY + 2) * _DAY if span.after else _NO_END,
            kinds,
            self._slice_rows,
            query.limit + 1,
            query.max_bytes // (query.limit + 1),
            query.webhook_id,
        )
        # They come in this order, but nothing in the statement says that they do.
        first, *rows = sorted(rows, key=lambda row: row["position"] or 0)
        self._floor, self._read_at_ms = first["floor"], first["now_ms"]
        self._standing = _standing(first["stage"], first["revised_at"])
        for position, _, body, *_ in rows:
            if len(self._entries) == query.limit:
                self._bound = position
                self._finish(self._reached, has_more=True)
            elif body is None:
                return  # too large for its share: slices count the bytes together
            else:
                self._entries.append(PageEntry(position, body))
                self._bytes += len(body)
                self._scanned = self._reached = position

    async def read_slice(self) -> None:
        """Scan the next rows; `done` says whether the page is whole."""
        until, is_last = await self._read_head()
        for span in spans(self._query.revisions, self._scanned, until):
            if await self._scan_span(span):
                break
        else:
            self._scanned = max(self._scanned, until)
            if is_last:
                self._finish(self._reached, has_more=False)
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
            read_at=self._clock_bound.bounded(from_milliseconds(self._read_at_ms)),
            standing=self._standing,
        )

    async def _read_head(self) -> tuple[int, bool]:
        """Read where the next slice ends, and whether nothing of the solution lies behind that."""
        query = self._query
        rows = self._slice_rows
        self._slice_rows = min(rows * limits.SLICE_GROWTH, limits.SCAN_SLICE_ROWS)
        place = (query.bucket, query.account, query.solution, self._scanned, self._bound, rows - 1)
        # The bucket's last position lies behind the token, but for a bucket that is as quiet.
        for least in (self._scanned, 0):
            [row] = await self._database.fetch(_HEAD, *place, least, query.webhook_id)
            floor, bound, now_ms, slice_end, last, *standing = row
            if bound is not None:
                break
        if self._bound is None:
            self._bound, self._read_at_ms = max(bound or 0, floor), now_ms
            self._standing = _standing(*standing)
        self._floor = max(self._floor, floor)
        self._scanned = max(self._scanned, floor)
        self._reached = max(self._reached, slice_end or last or 0)
        return slice_end or last or self._scanned, slice_end is None

    async def _scan_span(self, span: Span) -> bool:
        """Take what matches in one span; True where the page ends in it."""
        query = self._query
        watched = covered_fields(span.revision.filter)
        after = span.after
        while True:
            wanted = query.limit - len(self._entries) + 1
            room = max(0, query.max_bytes - self._bytes)
            place = (query.bucket, query.account, query.solution, after, span.until)
            kinds, *exact = bindings(span.revision)
            if (*exact,) == _WHOLE:
                rows = await self._database.fetch(_SCAN_WHOLE, *place, kinds, wanted, room)
            else:
                rows = await self._database.fetch(_SCAN, *place, kinds, *exact, wanted, room)
            self._floor = max(self._floor, rows[0]["floor"])
            cut = False
            for _, position, changed, body in rows:
                if position is None:
                    return False
                if passes(watched, changed):
                    if len(self._entries) >= query.limit or self._bytes >= query.max_bytes:
                        self._finish(self._entries[-1].position, has_more=True)
                        return True
                    if body is None:  # what didn't match took its share of the bytes: ask anew
                        cut = True
                        break
                    self._entries.append(PageEntry(position, body))
                    self._bytes += len(body)
                after = position
            if not cut and len(rows) < wanted:
                return False

    def _finish(self, end: int, *, has_more: bool) -> None:
        self._end = max(end, self._query.after)
        self._has_more = has_more
        self.done = True


def _standing(stage: str | None, revised_at: list[int]) -> Standing | None:
    return None if stage is None else Standing(Stage(stage), tuple(revised_at))


def bindings(revision: Revision) -> tuple[int, list[str] | None, int | None]:
    """Return what a scan decides on the index: kinds, applications, and the mask of fields."""
    applications = covered_applications(revision.filter)
    watched = covered_fields(revision.filter)
    return (
        kind_bits(revision.kinds),
        None if applications is None else list(applications),
        field_mask(watched) if watched else None,
    )
