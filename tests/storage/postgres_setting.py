"""A PostgreSQL database whose clock a test holds, and one fresh state of it for each test."""

from __future__ import annotations

from datetime import datetime

import psycopg
from psycopg.sql import SQL, Identifier

from tidings.ports import Clock
from tidings.storage.postgres import PostgresStorage, open_postgres
from tidings.testing.clock import DEFAULT_START, ManualClock

HELD = "held_clock"
"""The schema of all tables, and before them of what stands in for the database's own clock."""

_HOLD = f"""
CREATE SCHEMA {HELD};
CREATE SCHEMA its_row;
CREATE TABLE its_row.instant (now timestamptz NOT NULL);
INSERT INTO its_row.instant VALUES ('{DEFAULT_START.isoformat()}');
CREATE FUNCTION {HELD}.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT now FROM its_row.instant';
"""


def hold_clock(url: str) -> None:
    """Let a database's clock be a table's row: `clock_timestamp` is looked up there first."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_HOLD.encode())
        name = Identifier(connection.info.dbname)
        path = f"SET search_path = {HELD}, pg_catalog, public".encode()
        connection.execute(SQL("ALTER DATABASE {} ").format(name) + SQL(path.decode()))


class HeldClock(ManualClock):
    """The clock of a test, which the database goes by too."""

    def __init__(self, url: str, start: datetime = DEFAULT_START) -> None:
        super().__init__(start)
        self._connection = psycopg.connect(url, autocommit=True)
        self._told: datetime | None = None
        self._tell()

    def shift(self, seconds: float) -> None:
        super().shift(seconds)
        self._tell()

    def close(self) -> None:
        self._connection.close()

    def _move_to(self, monotonic: float) -> None:
        super()._move_to(monotonic)
        self._tell()

    def _tell(self) -> None:
        now = self.now()
        if now != self._told:
            self._connection.execute("UPDATE its_row.instant SET now = %s", [now])
            self._told = now


_CLEAN = b"""
DELETE FROM change_log; DELETE FROM idempotency; DELETE FROM attempt; DELETE FROM webhook;
DELETE FROM webhook_revision; DELETE FROM account; DELETE FROM account_webhook;
DELETE FROM account_solution; DELETE FROM reading; DELETE FROM application; DELETE FROM api_key;
DELETE FROM checkpoint; DELETE FROM dispatch_state; DELETE FROM debt; DELETE FROM sheet_webhook;
DELETE FROM callback_cursor; DELETE FROM attendance; DELETE FROM read_note;
DELETE FROM count_note;
UPDATE head SET floor = 0 WHERE floor <> 0;
UPDATE lease SET holder = '', epoch = 0, ends_at = 0 WHERE epoch <> 0;
UPDATE sweep SET swept_at = NULL, paused_ms = 0;
"""


_DAYS = b"""
SELECT day.relname FROM pg_inherits JOIN pg_class AS day ON day.oid = inhrelid
WHERE day.relkind = 'r'
"""


class PostgresDatabase:
    """A migrated database, emptied for each test, as the contract's `Database`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._days: set[str] = set()

    def clean(self) -> None:
        """Make it as new: empty, and without the days that a test's clock came to.

        Each of those would make every statement's plan a little longer.
        """
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(_CLEAN)
            days = {row[0] for row in connection.execute(_DAYS).fetchall()}
            self._days = self._days or days
            if later := ", ".join(sorted(days - self._days)):
                connection.execute(f"DROP TABLE {later}".encode())

    async def open(self, clock: Clock, *, serve: bool = True) -> PostgresStorage:
        return await open_postgres(self.url, clock, serve=serve)
