"""One page, read in slices of bounded length from one bound (mechanics P1, P2)."""

from __future__ import annotations

import msgspec

from tidings.domain import limits
from tidings.domain.filter import (
    Filter,
    Span,
    covered_applications,
    covered_fields,
    field_mask,
    fields_match,
    spans,
)
from tidings.domain.instants import from_milliseconds
from tidings.domain.kinds import kind_bits
from tidings.domain.log_entry import Page, PageEntry, PageQuery
from tidings.ports import Clock
from tidings.storage.clock_bound import ClockBound
from tidings.storage.postgres.connection import Database
from tidings.storage.postgres.queries import load_queries

_SQL = load_queries("change_log")
_HEAD = _SQL["page_head"]
_SCAN, _SCAN_WHOLE = _SQL["scan_span"], _SQL["scan_whole_span"]
_CHANGED = msgspec.json.Decoder(tuple[str, ...])


class PageScan:
    """The state of one page between its slices.

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
        self._bound: int | None = None
        self._read_at_ms = 0
        self._floor = 0
        self._entries: list[PageEntry] = []
        self._bytes = 0
        self._end = query.after
        self._has_more = False
        # Most pages are full within a few rows: finding the end of a long slice, which walks over
        # all of its rows, would cost them more than all the rest. So slices begin short, and grow.
        self._slice_rows = max(limits.FIRST_SLICE_ROWS, query.limit + 1)

    async def read_slice(self) -> None:
        """Scan the next rows; `done` says whether the page is whole."""
        query = self._query
        rows = self._slice_rows
        self._slice_rows = min(rows * limits.SLICE_GROWTH, limits.SCAN_SLICE_ROWS)
        place = (query.bucket, query.account, query.solution, self._scanned, self._bound, rows - 1)
        [(floor, bound, now_ms, slice_end, last)] = await self._database.fetch(_HEAD, *place)
        if self._bound is None:
            self._bound, self._read_at_ms = max(bound, floor), now_ms
        self._floor = max(self._floor, floor)
        self._scanned = max(self._scanned, floor)
        until = self._bound if slice_end is None else slice_end
        for span in spans(query.revisions, self._scanned, until):
            if await self._scan_span(span):
                break
        else:
            self._scanned = max(self._scanned, until)
            if slice_end is None:
                self._finish(last or 0, has_more=False)
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
        )

    async def _scan_span(self, span: Span) -> bool:
        """Take what matches in one span; True where the page ends in it."""
        query = self._query
        watched = covered_fields(span.revision.filter)
        after = span.after
        while True:
            wanted = query.limit - len(self._entries) + 1
            room = max(0, query.max_bytes - self._bytes)
            place = (query.bucket, query.account, query.solution, after, span.until)
            kinds, applications, mask = bindings(
                span.revision.filter, kind_bits(span.revision.kinds)
            )
            if applications is None and mask is None:
                rows = await self._database.fetch(_SCAN_WHOLE, *place, kinds, wanted, room)
            else:
                exact = (applications, mask)
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


def bindings(wanted: Filter, kinds: int) -> tuple[int, list[str] | None, int | None]:
    """Return what a scan decides on the index: kinds, applications, and the mask of fields."""
    applications = covered_applications(wanted)
    watched = covered_fields(wanted)
    return (
        kinds,
        None if applications is None else list(applications),
        field_mask(watched) if watched else None,
    )


def passes(watched: frozenset[str], changed: str | None) -> bool:
    """Decide on the exact fields what the mask let through."""
    if not watched or changed is None:
        return True
    return fields_match(watched, _CHANGED.decode(changed))
