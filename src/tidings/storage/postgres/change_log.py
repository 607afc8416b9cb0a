"""The change log on PostgreSQL: append, pages, tails, hints (mechanics L2 to L4, P1, G3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from tidings.domain import limits
from tidings.domain.buckets import lane_of
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
from tidings.storage.account_shares import AccountShares
from tidings.storage.postgres.lanes import Lanes
from tidings.storage.postgres.page_scan import PageScan, bindings
from tidings.storage.postgres.queries import load_queries
from tidings.storage.rows.change_log import read_callback, read_header
from tidings.storage.watchers import Watchers

_SQL = load_queries("change_log")


class PostgresChangeLog:
    """ports.ChangeLog on PostgreSQL."""

    def __init__(self, lanes: Lanes, watchers: Watchers, shares: AccountShares) -> None:
        self._lanes = lanes
        self._database = lanes.database
        self._watchers = watchers
        self._shares = shares

    async def append(self, append: Append) -> Receipt:
        """Append all entries of one publish, durably, or none (ports.ChangeLog.append)."""
        return await self._lanes.of(append.bucket).append(append)

    async def read_page(self, query: PageQuery) -> Page:
        """Read one page from one snapshot's bound (ports.ChangeLog.read_page)."""
        scan = PageScan(query, self._database, self._lanes.clock, self._lanes.bound)
        await scan.read_rows()
        if not scan.done:
            await scan.read_slice()
        if not scan.done:
            async with self._shares.of(query.account):
                while not scan.done:
                    await scan.read_slice()
        return scan.page()

    async def read_callback(self, query: CallbackQuery) -> CallbackEntries:
        """Read what one callback is made of (ports.ChangeLog.read_callback).

        Its end is found first; up to there the log doesn't change any more, but for what retention
        drops, and the read of the rows brings the floor along.
        """
        place = (query.bucket, query.account, query.solution, query.after)
        cut_rows = limits.CALLBACK_SCAN_ROWS - 1
        end = (query.until, cut_rows, query.after, None)
        [head] = await self._database.fetch(_SQL["page_head"], *place, *end)
        until: int = query.until if head["slice_end"] is None else head["slice_end"]
        rows = await self._database.fetch(
            _SQL["scan_callback"],
            *(*place, until),
            *bindings(query.revision),
            query.limit,
        )
        floor: int = rows[0]["floor"]
        found = [row[1:] for row in rows if row["position"] is not None]
        return read_callback(found, query, floor=floor, until=until, max_bytes=query.max_bytes)

    async def read_tail(self, tails: Mapping[int, int], limit: int) -> Sequence[Header]:
        """Read what lies behind the tails: one statement a lane (ports.ChangeLog.read_tail).

        The limit is shared out evenly; what quiet buckets leave of it loud ones get in a second
        round, so that a loud one can't starve the others, and is read fast all the same.
        """
        found = await self._read_round(tails, max(1, limit // max(1, len(tails))))
        headers = [header for bucket in sorted(found) for header in found[bucket]]
        share = max(1, limit // max(1, len(tails)))
        loud = {
            bucket: there[-1].position for bucket, there in found.items() if len(there) == share
        }
        room = limit - len(headers)
        if loud and room >= len(loud):
            more = await self._read_round(loud, room // len(loud))
            headers = [h for bucket in sorted(found) for h in found[bucket] + more.get(bucket, [])]
        return headers[:limit]

    def watch(self, watcher: Callable[[Appended], None]) -> Callable[[], None]:
        """Call `watcher` after each commit of this process (ports.ChangeLog.watch)."""
        remove = self._watchers.add(watcher)
        self._lanes.hint(wanted=True)

        def undo() -> None:
            remove()
            self._lanes.hint(wanted=len(self._watchers) > 0)

        return undo

    async def _read_round(self, tails: Mapping[int, int], share: int) -> dict[int, list[Header]]:
        by_lane: dict[int, dict[int, int]] = {}
        for bucket, tail in sorted(tails.items()):
            by_lane.setdefault(lane_of(bucket, limits.POSTGRES_LANES), {})[bucket] = tail
        read = [
            self._database.fetch(_SQL["read_tail"], list(lane), list(lane.values()), share)
            for lane in by_lane.values()
        ]
        found: dict[int, list[Header]] = {}
        for rows in await asyncio.gather(*read):
            for row in rows:
                found.setdefault(row["bucket"], []).append(read_header(row))
        return found
