"""How SQLite reads pages: in slices from one bound, on the covering index (mechanics P1, P5)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import apsw
import pytest

from tidings.domain import limits
from tidings.domain.filter import (
    ApplicationFilter,
    ApplicationsFilter,
    Revision,
    SolutionFilter,
    Span,
)
from tidings.domain.kinds import Kind
from tidings.domain.log_entry import NewEntry
from tidings.domain.positions import position_at
from tidings.storage.sqlite import SqliteStorage
from tidings.storage.sqlite.connection import connect_reader
from tidings.storage.sqlite.page_scan import PageScan
from tidings.storage.sqlite.queries import load_queries
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import (
    ALL_KINDS,
    bodies,
    entry,
    page_query,
    publish,
)

from .conftest import SqliteFile

pytestmark = pytest.mark.anyio

TABLE_ONLY = (Revision(0, ApplicationsFilter(("table",)), ALL_KINDS),)
DELETED_ONLY = (Revision(0, SolutionFilter(), (Kind.RECORD_DELETED,)),)


@pytest.fixture
def slices_of_five(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of five rows, but the first, which is of one row more than the page."""
    monkeypatch.setattr(limits, "FIRST_SLICE_ROWS", 5)
    monkeypatch.setattr(limits, "SCAN_SLICE_ROWS", 5)


class TickingClock(ManualClock):
    """A clock of which every look takes a while."""

    def monotonic(self) -> float:
        self._monotonic += limits.SCAN_SLICE_SECONDS / 4
        return self._monotonic


def _one_in_five(rows: int) -> list[NewEntry]:
    """Return entries of which every fifth is of the table that the queries here ask for."""
    return [entry(f"e{n}", application="other" if n % 5 else "table") for n in range(rows)]


@pytest.mark.usefixtures("slices_of_five")
async def test_what_is_appended_between_two_slices_waits_for_the_next_page(
    database: SqliteFile, storage: SqliteStorage, clock: ManualClock
) -> None:
    first = await storage.log.append(publish(*_one_in_five(60)))
    connection = connect_reader(database.path)
    scan = PageScan(page_query(limit=12, revisions=TABLE_ONLY), clock, clock.now())
    scan.read_slice(connection)
    await storage.log.append(publish(entry("later")))
    while not scan.done:
        scan.read_slice(connection)
    page = scan.page()
    assert (len(page.entries), page.end, page.has_more) == (12, first.last_position, False)
    assert page.bucket_last == first.last_position
    connection.close()


@pytest.mark.usefixtures("slices_of_five")
async def test_the_floor_is_read_again_in_the_last_slice(
    database: SqliteFile, storage: SqliteStorage, clock: ManualClock
) -> None:
    for _ in range(5):
        await storage.log.append(publish(*_one_in_five(20)))
        await clock.advance(1)
    connection = connect_reader(database.path)
    scan = PageScan(page_query(limit=12, revisions=TABLE_ONLY), clock, clock.now())
    scan.read_slice(connection)
    begins_at = clock.now() - timedelta(seconds=2)
    await storage.retention.raise_floor(begins_at)
    while await storage.retention.drop_entries():
        pass
    while not scan.done:
        scan.read_slice(connection)
    page = scan.page()
    assert page.floor == position_at(begins_at) - 1
    of_each = [b"e0", b"e5", b"e10", b"e15"]
    assert bodies(page) == [b"e0", b"e5", b"e10", *of_each, *of_each]
    connection.close()


@pytest.mark.usefixtures("slices_of_five")
async def test_a_scan_out_of_its_budget_ends_where_it_got_to_and_can_go_on(
    storage: SqliteStorage,
) -> None:
    await storage.log.append(publish(*(entry("no") for _ in range(23))))
    await storage.log.append(publish(entry("yes", kind=Kind.RECORD_DELETED)))
    found, token, pages, more = [], 0, 0, True
    while more:
        page = await storage.log.read_page(
            page_query(after=token, revisions=DELETED_ONLY, limit=1, budget_seconds=0.0)
        )
        assert page.end > token
        found += bodies(page)
        token, more, pages = page.end, page.has_more, pages + 1
    assert (found, pages) == ([b"yes"], 5)


async def test_a_slice_ends_by_time_where_rows_are_slow_to_judge(database: SqliteFile) -> None:
    storage = await database.open(TickingClock())
    await storage.log.append(publish(*(entry(f"e{n}") for n in range(40))))
    page = await storage.log.read_page(page_query(limit=30, budget_seconds=1_000))
    rest = await storage.log.read_page(page_query(after=page.end, budget_seconds=1_000))
    assert (len(page.entries), page.has_more) == (30, True)
    assert (len(rest.entries), rest.has_more) == (10, False)
    await storage.close()


async def test_long_scans_of_one_account_leave_threads_to_the_others(
    storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FIRST_SLICE_ROWS", 1)
    monkeypatch.setattr(limits, "SCAN_SLICE_ROWS", 1)
    await storage.log.append(publish(*(entry() for _ in range(300)), account="loud"))
    await storage.log.append(publish(entry("quick"), account="quiet"))
    loud = [
        asyncio.ensure_future(
            storage.log.read_page(page_query(account="loud", revisions=DELETED_ONLY, limit=1))
        )
        for _ in range(2 * limits.READER_THREADS)
    ]
    page = await storage.log.read_page(page_query(account="quiet"))
    assert bodies(page) == [b"quick"]
    assert not any(scan.done() for scan in loud)
    assert {scan.end for scan in await asyncio.gather(*loud)} == {loud[0].result().end}


def _plan(connection: apsw.Connection, name: str, bindings: object) -> list[str]:
    query = load_queries("change_log")[name]
    rows = connection.execute(f"EXPLAIN QUERY PLAN {query}", bindings)  # type: ignore[arg-type]
    return [str(row[3]) for row in rows]


async def test_pages_are_judged_on_the_covering_index_and_bodies_fetched_for_what_passes(
    database: SqliteFile, storage: SqliteStorage, clock: ManualClock
) -> None:
    connection = connect_reader(database.path)
    place = "(bucket=? AND account=? AND solution=? AND position>? AND position<?)"
    for wanted in (
        SolutionFilter(),
        ApplicationsFilter(("a", "b")),
        ApplicationFilter("a", ("f",)),
    ):
        span = Span(0, 100, Revision(0, wanted, ALL_KINDS))
        bindings = PageScan(page_query(), clock, clock.now())._bindings(span)
        plan = _plan(connection, "scan_span", bindings)
        assert plan[0] == f"SEARCH place USING COVERING INDEX change_log_page {place}"
        assert plan[-1] == "SEARCH entry USING INTEGER PRIMARY KEY (rowid=?)"
        assert not any("TEMP B-TREE" in step for step in plan)
    five = (1, "a", "s", 0, 9)
    [slice_end] = _plan(connection, "slice_end", (*five, 4))
    assert slice_end == f"SEARCH change_log USING COVERING INDEX change_log_page {place}"
    [tail] = _plan(connection, "read_tail", (1, 0, 10))
    assert tail == "SEARCH change_log USING INDEX change_log_tail (bucket=? AND position>?)"
    connection.close()
