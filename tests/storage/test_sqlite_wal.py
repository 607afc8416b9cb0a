"""The write-ahead log stays short under load, and no reader holds it for long (mechanics Q2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidings.domain import limits
from tidings.storage.sqlite.connection import connect_reader, snapshot
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import entry, page_query, publish

from .conftest import SqliteFile

pytestmark = pytest.mark.anyio

BIG = tuple(entry(f"e{n}", body=b"x" * 4_000) for n in range(50))


async def test_the_wal_begins_anew_past_its_limit_while_pages_are_read(
    database: SqliteFile, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WAL_BYTES", 500_000)
    storage = await database.open(clock)
    for _ in range(30):  # 6 MB and more
        await storage.log.append(publish(*BIG))
        await storage.log.read_page(page_query())
    assert Path(f"{database.path}-wal").stat().st_size < 1_500_000
    await storage.close()


async def test_a_reader_that_stays_delays_the_wal_but_stops_no_append(
    database: SqliteFile, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WAL_BYTES", 500_000)
    monkeypatch.setattr(limits, "WAL_RETRY_BYTES", 500_000)
    monkeypatch.setattr(limits, "WAL_BUSY_MS", 5)
    storage = await database.open(clock)
    reader = connect_reader(database.path)
    with snapshot(reader):
        reader.execute("SELECT count(*) FROM change_log").fetchall()
        for _ in range(10):
            await storage.log.append(publish(*BIG))
        held = Path(f"{database.path}-wal").stat().st_size
    for _ in range(30):
        await storage.log.append(publish(*BIG))
    assert Path(f"{database.path}-wal").stat().st_size < held + 2_000_000
    reader.close()
    await storage.close()
