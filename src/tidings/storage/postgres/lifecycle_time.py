"""Lifecycle time inside a transaction: the wall clock less what no sweeper ran (mechanics L8)."""

from __future__ import annotations

from datetime import timedelta

from tidings.domain.instants import from_milliseconds
from tidings.domain.sweep import SweepTime, lag
from tidings.storage.postgres.connection import Connection, Row
from tidings.storage.postgres.queries import load_queries
from tidings.storage.rows.instants import loaded

_SQL = load_queries("lifecycle")


def in_ms(span: timedelta) -> int:
    """Return a span as whole milliseconds."""
    return span // timedelta(milliseconds=1)


def sweep_time_of(row: Row) -> SweepTime:
    """Return what the last sweep stored, and the database's clock, of a row of `sweep_time`."""
    return SweepTime(
        now=from_milliseconds(row["now_ms"]),
        swept_at=loaded(row["swept_at"]),
        paused=timedelta(milliseconds=row["paused_ms"]),
    )


async def read_sweep_time(connection: Connection) -> SweepTime:
    """Read what the last sweep stored, and the database's clock."""
    return sweep_time_of(await connection.fetchrow(_SQL["sweep_time"]))


async def lag_ms(connection: Connection) -> int:
    """Return how far lifecycle time lies behind the wall clock now."""
    return in_ms(lag(await read_sweep_time(connection)))
