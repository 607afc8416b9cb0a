"""What is counted of an account's webhooks stays true (mechanics D8)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.storage.conftest import SqliteFile
from tidings.domain import lifecycle
from tidings.storage.sqlite import SqliteStorage, schema
from tidings.storage.sqlite.connection import connect_reader, connect_writer
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import webhook

pytestmark = pytest.mark.anyio

_COUNTED = "SELECT account, solution, webhooks FROM account_solution ORDER BY 1, 2"


def counted(database: SqliteFile) -> list[tuple[str, str, int]]:
    """Return account, solution and number of webhooks, of each that has any."""
    connection = connect_reader(database.path)
    rows = [*connection.execute(_COUNTED)]
    connection.close()
    return rows


async def test_a_schema_without_the_counts_is_given_them(
    database: SqliteFile, storage: SqliteStorage, clock: ManualClock
) -> None:
    made = [
        await storage.webhooks.create(webhook(clock, solution=solution), start_at=None)
        for solution in ("crm", "crm", "erp")
    ]
    await storage.webhooks.delete(made[0])
    before = counted(database)
    assert before == [("acme", "crm", 1), ("acme", "erp", 1)]
    await storage.close()
    [text] = [text for text in schema._migrations() if "account_solution" in text]
    connection = connect_writer(database.path)
    connection.execute("DROP TABLE account_solution")
    # A later migration has ended this column.
    connection.execute("ALTER TABLE account_webhook ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0")
    connection.execute(text)
    connection.close()
    assert counted(database) == before


async def test_a_webhook_that_expires_is_counted_no_more(
    database: SqliteFile, storage: SqliteStorage, clock: ManualClock
) -> None:
    await storage.webhooks.create(webhook(clock), start_at=None)
    assert len(counted(database)) == 1
    for step in lifecycle.STEPS:
        await clock.advance(timedelta(days=15).total_seconds())
        await storage.lifecycle.step(step, 10)
    assert counted(database) == []
