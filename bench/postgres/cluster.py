"""A PostgreSQL for a measurement: its own, durable, on this machine, gone afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from tidings.demo.private_postgres import PrivatePostgres

SETTINGS = {
    # Durability is never traded: both sides wait for the disk.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    # What every machine that serves sets above the defaults of 1999; both sides have it.
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
}
_TICKS = os.sysconf("SC_CLK_TCK")


class Cluster:
    """A running server."""

    def __init__(self, private: PrivatePostgres) -> None:
        self._private = private
        self._databases = 0

    def database(self) -> str:
        """Create an empty database; return its URL."""
        self._databases += 1
        name = f"bench_{self._databases}"
        with psycopg.connect(self._private.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._private.url(name)

    def copy(self, database: str) -> str:
        """Create a database that is equal to another one; return its URL. Nobody may be on it."""
        self._databases += 1
        name, template = f"bench_{self._databases}", database.rsplit("/", 1)[1]
        with psycopg.connect(self._private.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return self._private.url(name)

    def cpu_seconds(self) -> float:
        """Return the processor time of all of its processes, also of those that have ended."""
        pid = self._private.pid
        ticks = _ticks(pid, ended=True)
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended: counted above
                ticks += _ticks(int(child), ended=False)
        return ticks / _TICKS


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Run a server. Raises NoPostgreSQL where there is none."""
    with PrivatePostgres(durable=True, settings=SETTINGS) as private:
        yield Cluster(private)


def settle(database: str) -> None:
    """Have a database do now what it would do by itself later: else it falls into a measurement."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def _ticks(pid: int, *, ended: bool) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11 : 15 if ended else 13]))
