"""How SQLite drops what is over its time: batch by batch, and the file's size converges."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from pathlib import Path

import apsw
import msgspec
import pytest

from tidings.domain import limits
from tidings.domain.buckets import bucket_of
from tidings.domain.filter import ApplicationsFilter
from tidings.engine.retention import Retention
from tidings.errors import StorageUnavailable
from tidings.storage.sqlite import SqliteStorage, migrate_file
from tidings.storage.sqlite.connection import connect_reader
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import (
    ACCOUNT,
    SOLUTION,
    attempt,
    entry,
    publish,
    webhook,
    whole_log,
)

from .conftest import SqliteFile

pytestmark = pytest.mark.anyio

BUCKET = bucket_of(ACCOUNT, SOLUTION)
DAY = 24 * 3_600.0


def rows_of(path: str) -> dict[str, int]:
    """Count the rows of every table."""
    connection = connect_reader(path)
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    counts: dict[str, int] = {
        str(name): connection.execute(f"SELECT count(*) FROM {name}").get for (name,) in tables
    }
    connection.close()
    return counts


async def test_the_file_stops_growing_once_as_much_is_dropped_as_comes(
    database: SqliteFile, storage: SqliteStorage, clock: ManualClock
) -> None:
    """Freed pages are taken again, however the sizes of days and of bodies vary."""
    retention = Retention(storage.retention, clock)
    held = await storage.webhooks.create(webhook(clock), start_at=None)
    pages = []
    for day in range(40):
        for number in range(6 + day % 3):
            size = 400 + 900 * ((day + number) % 7)
            rows = [entry(f"{day}-{n}", body=b"x" * size) for n in range(20)]
            await storage.log.append(publish(*rows, solution=f"s{number}"))
            await storage.dispatch.add_attempts([attempt(held, clock.now())] * 10)
            gone = await storage.webhooks.create(webhook(clock), start_at=None)
            held = await storage.webhooks.update(
                msgspec.structs.replace(held, filter=ApplicationsFilter((f"t{number}",)))
            )
            await storage.webhooks.delete(gone)
        await clock.advance(DAY)
        assert await retention.run_once(clock.now()) == limits.SWEEP_SECONDS
        pages.append(storage._connection.pragma("page_count"))
    full = pages[limits.LOG_DAYS + 3]
    assert full > 2 * pages[3]
    assert max(pages) <= full * 1.05
    kept = rows_of(database.path)
    assert kept["change_log"] < 16 * 8 * 23
    assert kept["attempt"] <= 7 * 8 * 10
    assert kept["idempotency"] <= 8
    assert kept["webhook_revision"] <= 15 * 8 + 1
    assert kept["account_webhook"] == 1


async def test_creating_and_deleting_webhooks_leaves_nothing_but_log_entries(
    database: SqliteFile, storage: SqliteStorage, clock: ManualClock
) -> None:
    before = rows_of(database.path)
    for _ in range(20):
        made = await storage.webhooks.create(webhook(clock), start_at=None)
        await storage.webhooks.delete(made)
    after = rows_of(database.path)
    assert after.pop("change_log") == before.pop("change_log") + 40
    assert after == before


async def test_the_attempts_of_a_deleted_webhook_are_left_to_retention(
    database: SqliteFile, storage: SqliteStorage, clock: ManualClock
) -> None:
    """There may be a week of one a second: too many for the transaction that deletes it."""
    made = await storage.webhooks.create(webhook(clock), start_at=None)
    await storage.dispatch.add_attempts([attempt(made, clock.now())] * 9)
    await storage.webhooks.delete(made)
    assert await storage.dispatch.attempts_of(made.bucket, made.webhook_id, 10) == []
    assert rows_of(database.path)["attempt"] == 9
    await clock.advance((limits.ATTEMPT_DAYS + 1) * DAY)
    await Retention(storage.retention, clock).run_once(clock.now())
    assert rows_of(database.path)["attempt"] == 0


async def test_a_batch_is_bounded_in_rows_and_in_bytes(
    storage: SqliteStorage, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RETENTION_STEP_ROWS", 10)
    monkeypatch.setattr(limits, "RETENTION_STEP_BYTES", 10_000)
    monkeypatch.setattr(limits, "RETENTION_BATCH_STEPS", 2)
    await storage.log.append(publish(*(entry(f"s{n}") for n in range(25))))
    await storage.log.append(publish(*(entry(f"b{n}", body=b"x" * 4_000) for n in range(9))))
    await clock.advance(1)
    await storage.retention.raise_floor(clock.now())
    sizes = []
    while batch := await storage.retention.drop_entries():
        sizes.append(batch)
    assert sizes == [20, 11, 3]


async def test_appends_go_in_between_the_batches_of_a_large_backlog(
    storage: SqliteStorage, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RETENTION_STEP_ROWS", 10)
    monkeypatch.setattr(limits, "RETENTION_BATCH_STEPS", 1)
    await storage.log.append(publish(*(entry(f"{n}") for n in range(500))))
    await clock.advance((limits.LOG_DAYS + 1) * DAY)
    dropping = asyncio.ensure_future(Retention(storage.retention, clock).run_once(clock.now()))
    for number in range(5):
        await storage.log.append(publish(entry(f"new{number}")))
    assert not dropping.done()
    await dropping
    left = [name for _, name in await whole_log(storage.log, BUCKET)]
    assert left == [f"new{n}" for n in range(5)]


async def test_a_database_that_may_not_grow_takes_appends_again_once_something_was_dropped(
    storage: SqliteStorage, clock: ManualClock
) -> None:
    big = [entry(f"e{n}", body=b"x" * 4_000) for n in range(100)]
    await storage.log.append(publish(*big))
    storage._connection.pragma("max_page_count", storage._connection.pragma("page_count") + 2)
    with pytest.raises(StorageUnavailable, match="disk is full"):
        await storage.log.append(publish(*big))
    await clock.advance((limits.LOG_DAYS + 1) * DAY)
    await Retention(storage.retention, clock).run_once(clock.now())
    assert (await storage.log.append(publish(*big))).accepted == 100


async def test_an_older_database_loses_its_hidden_rows_and_learns_what_is_superseded(
    tmp_path: Path, clock: ManualClock
) -> None:
    path = tmp_path / "older.db"
    older = apsw.Connection(str(path))
    migrations = files("tidings.storage.sqlite") / "migrations"
    names = sorted(found.name for found in migrations.iterdir() if found.name.endswith(".sql"))
    before = [name for name in names if name < next(n for n in names if "retention" in n)]
    for name in before:
        older.execute((migrations / name).read_text(encoding="utf-8"))
    older.pragma("user_version", len(before))
    older.pragma("application_id", 0x54494447)
    for place, deleted in ((1, 0), (2, 1), (3, 0)):
        values = ("acme", f"w{place}", place, BUCKET, "crm", deleted)
        older.execute("INSERT INTO account_webhook VALUES (?, ?, ?, ?, ?, ?)", values)
    for webhook_id, position in (("w1", 10), ("w1", 30), ("w1", 20), ("w3", 15)):
        values_of = (BUCKET, webhook_id, position, "{}", "[]")
        older.execute("INSERT INTO webhook_revision VALUES (?, ?, ?, ?, ?)", values_of)
    older.close()
    migrate_file(str(path))
    newer = connect_reader(str(path))
    listed = newer.execute("SELECT webhook_id, place FROM account_webhook ORDER BY place")
    assert listed.fetchall() == [("w1", 1), ("w3", 3)]
    superseded = newer.execute(
        "SELECT webhook_id, from_position, superseded_position FROM webhook_revision ORDER BY 1, 2"
    )
    assert superseded.fetchall() == [
        ("w1", 10, 20),
        ("w1", 20, 30),
        ("w1", 30, None),
        ("w3", 15, None),
    ]
    newer.close()
