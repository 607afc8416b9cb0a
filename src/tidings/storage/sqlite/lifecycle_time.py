"""Lifecycle time inside a transaction: the wall clock less what no sweeper ran (mechanics L8)."""

from __future__ import annotations

from datetime import datetime, timedelta

import apsw

from tidings.domain.instants import from_milliseconds
from tidings.domain.sweep import SweepTime, lag
from tidings.storage.rows.instants import loaded
from tidings.storage.sqlite.queries import load_queries
from tidings.storage.sqlite.transaction import Transaction

_SQL = load_queries("lifecycle")


def in_ms(span: timedelta) -> int:
    """Return a span as whole milliseconds."""
    return span // timedelta(milliseconds=1)


def read_sweep_time(connection: apsw.Connection, now: datetime) -> SweepTime:
    """Read what the last sweep stored; `now` is the database's clock."""
    [(swept_at, paused_ms)] = connection.execute(_SQL["sweep_time"])
    return SweepTime(now=now, swept_at=loaded(swept_at), paused=timedelta(milliseconds=paused_ms))


def lag_ms(transaction: Transaction) -> int:
    """Return how far lifecycle time lies behind the transaction's wall clock now."""
    now = from_milliseconds(transaction.now_ms)
    return in_ms(lag(read_sweep_time(transaction.connection, now)))


def paused_ms(connection: apsw.Connection) -> int:
    """Return the pauses that are stored: what lies between lifecycle time and a webhook's limits.

    A gap before the next sweep isn't in it yet: that sweep moves all limits by it.
    """
    stored: int = connection.execute(_SQL["paused"]).get
    return stored
