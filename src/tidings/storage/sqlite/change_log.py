"""The change log on SQLite: append, pages, tails, hints (mechanics L2 to L4, P1 to P5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import apsw
import msgspec

from tidings.domain import limits
from tidings.domain.log_entry import (
    Append,
    Appended,
    CallbackEntries,
    CallbackQuery,
    Header,
    Page,
    PageQuery,
    Receipt,
)
from tidings.ports import Clock
from tidings.storage.account_shares import AccountShares
from tidings.storage.rows.change_log import read_header
from tidings.storage.sqlite.callback_scan import scan_callback
from tidings.storage.sqlite.connection import snapshot
from tidings.storage.sqlite.page_scan import PageScan
from tidings.storage.sqlite.queries import load_queries
from tidings.storage.sqlite.readers import Readers
from tidings.storage.sqlite.writer import Writer
from tidings.storage.watchers import Watchers

_SQL = load_queries("change_log")


class SqliteChangeLog:
    """ports.ChangeLog on one file."""

    def __init__(self, writer: Writer, readers: Readers, watchers: Watchers, clock: Clock) -> None:
        self._writer = writer
        self._readers = readers
        self._watchers = watchers
        self._clock = clock
        self._shares = AccountShares(limits.READER_THREADS)

    async def append(self, append: Append) -> Receipt:
        """Append all entries of one publish, durably, or none (ports.ChangeLog.append)."""
        return await self._writer.append(append)

    async def read_page(self, query: PageQuery) -> Page:
        """Read one page from one snapshot (ports.ChangeLog.read_page)."""
        read_at = self._writer.bound.bounded(self._clock.now())
        scan = PageScan(query, self._clock, read_at)
        # Begun in the event loop: in a thread each row would wait for the interpreter's lock.
        self._readers.at_once(scan.read_slice, limits.INLINE_SLICE_SECONDS)
        if not scan.done:
            async with self._shares.of(query.account):
                while not scan.done:
                    await self._readers.in_thread(scan.read_slice)
        return scan.page()

    async def read_callback(self, query: CallbackQuery) -> CallbackEntries:
        """Read what one callback is made of (ports.ChangeLog.read_callback)."""
        # Most are a few changes, which cost less than a hop to a thread and back.
        few = min(limits.FIRST_SLICE_ROWS, query.limit)
        found = self._readers.at_once(
            scan_callback, query, rows=few, max_bytes=limits.CALLBACK_INLINE_BYTES
        )
        if found.end >= query.until:
            return found
        return await self._readers.in_thread(
            scan_callback, query, rows=limits.CALLBACK_SCAN_ROWS, max_bytes=query.max_bytes
        )

    async def read_tail(self, tails: Mapping[int, int], limit: int) -> Sequence[Header]:
        """Read what lies behind the tails (ports.ChangeLog.read_tail).

        The limit is shared out evenly over the buckets that have news, so that a loud one can't
        starve the others.
        """
        return await self._readers.in_thread(_read_tail, tails=tails, limit=limit)

    def watch(self, watcher: Callable[[Appended], None]) -> Callable[[], None]:
        """Call `watcher` after each commit of this process (ports.ChangeLog.watch)."""
        remove = self._watchers.add(watcher)
        self._writer.hints = True

        def undo() -> None:
            remove()
            self._writer.hints = len(self._watchers) > 0

        return undo


def _read_tail(
    connection: apsw.Connection, *, tails: Mapping[int, int], limit: int
) -> list[Header]:
    headers: list[Header] = []
    given = msgspec.json.encode(tails).decode()
    with snapshot(connection):
        news = connection.execute(_SQL["buckets_with_news"], (given,)).fetchall()
        for index, (bucket, tail) in enumerate(news):
            room = limit - len(headers)
            if room <= 0:
                break
            share = max(1, room // (len(news) - index))
            rows = connection.execute(_SQL["read_tail"], (bucket, tail, share))
            headers.extend(map(read_header, rows))
    return headers
