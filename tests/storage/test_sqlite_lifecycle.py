"""What becomes of webhooks that were made before anything expired (contract 1.7; L8)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from tidings.domain.instants import to_milliseconds
from tidings.domain.sweep import lag
from tidings.storage.sqlite import migrate_file, open_sqlite, schema
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

BEFORE = 3
"""The last schema without a lifecycle."""
WEBHOOK_ID = "00000000-0000-8000-8000-000000000001"


_OLD_WEBHOOK = """
    INSERT INTO webhook (
        bucket, webhook_id, account, solution, filter, kinds, enabled, secret, created_by,
        created_at, updated_by, updated_at, revision, start_position, created_position
    )
    VALUES (0, ?, 'acme', 'crm', '{"of":"solution"}', '[1]', 0, '', 'Jane', ?, 'Jane', ?, 1, 1, 1)
"""


def old_database(path: Path, created_at: int) -> None:
    """Make a database of the schema before, with one webhook in it."""
    connection = apsw.Connection(str(path))
    migrations = sorted((Path(schema.__file__).parent / "migrations").glob("*.sql"))
    for migration in migrations[:BEFORE]:
        connection.execute(migration.read_text(encoding="utf-8"))
    connection.pragma("user_version", BEFORE)
    connection.pragma("application_id", schema.APPLICATION_ID)
    connection.execute(_OLD_WEBHOOK, (WEBHOOK_ID, created_at, created_at))
    connection.close()


async def test_the_limits_of_old_webhooks_begin_to_run_with_the_first_sweep(
    tmp_path: Path,
) -> None:
    clock, path = ManualClock(), tmp_path / "tidings.db"
    old_database(path, to_milliseconds(clock.now() - timedelta(days=60)))
    migrate_file(str(path))
    storage = await open_sqlite(str(path), clock, serve=True)
    try:
        time = await storage.lifecycle.time()
        assert await storage.lifecycle.keep_time(time, lag(time))
        held = await storage.webhooks.get(0, WEBHOOK_ID)
        assert held is not None
        assert held.extended_at == clock.now()
        assert await storage.lifecycle.next_due() == clock.now() + timedelta(days=6)
    finally:
        await storage.close()
