"""A primary and two standbys on this machine, of which one at least has what was committed."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
import pytest

from tests.private_cluster import PrivateCluster
from tidings.clock import SystemClock
from tidings.demo.private_postgres import USER, NoPostgreSQL, find_binaries
from tidings.demo.processes import wait_until

SETTINGS = {
    # Any one of the two that aren't the primary, whichever that is by then.
    "synchronous_standby_names": "ANY 1 (n1, n2, n3)",
    "wal_keep_size": "64MB",
    "wal_retrieve_retry_interval": "100ms",
    "max_connections": "60",
}
FOLLOWING_SECONDS = 20.0
_UNCONFIRMED = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
_CLOCK = SystemClock()


class Node(PrivateCluster):
    """One of the three: a primary, or a standby that began as a copy of one."""

    def __init__(self, name: str, *, copy_of: Node | None = None) -> None:
        super().__init__(settings={**SETTINGS, "cluster_name": name})
        self.name = name
        self._copy_of = copy_of

    def _initialize(self) -> None:
        if self._copy_of is None:
            super()._initialize()
            return
        self._run_to_end(
            *("pg_basebackup", "-d", self._conninfo(self._copy_of), "-D", self._data),
            *("--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
        )

    def ask(self, query: str) -> Any:
        """Return the only value of a query."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
            assert row is not None
            return row[0]

    def follow(self, primary: Node) -> None:
        """Stream from another primary from now on."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            statement = f"ALTER SYSTEM SET primary_conninfo = '{self._conninfo(primary)}'"
            connection.execute(statement.encode())
            connection.execute("SELECT pg_reload_conf()")

    def received(self) -> int:
        """Return how far a standby has what its primary wrote."""
        return int(self.ask("SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')"))

    def lose_power(self) -> None:
        """SIGKILL to each of its processes: none answers anything any more."""
        assert self._process is not None
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in (self.pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _conninfo(self, primary: Node) -> str:
        return f"host=127.0.0.1 port={primary.port} user={USER} application_name={self.name}"


class Trio:
    """All three, while it is entered. Raises NoPostgreSQL on entering."""

    def __init__(self) -> None:
        if not os.access(find_binaries() / "pg_basebackup", os.X_OK):
            raise NoPostgreSQL(f"There is no pg_basebackup in {find_binaries()}.")
        self._stack = contextlib.ExitStack()
        self.nodes: list[Node] = []

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.primary = stack.enter_context(Node("n1"))
            self.standbys = [
                stack.enter_context(Node(name, copy_of=self.primary)) for name in ("n2", "n3")
            ]
            self.nodes = [self.primary, *self.standbys]
            self.wait_until_followed(2)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """A URL that names all three, the first primary first."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql://{USER}@{hosts}/postgres"

    def wait_until_followed(self, count: int) -> None:
        """Return once so many standbys have all that the primary writes."""
        query = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'"
        wait_until(
            lambda: bool(self.primary.ask(query) >= count),
            FOLLOWING_SECONDS,
            _CLOCK,
            f"the primary isn't followed by {count}",
        )

    def unconfirmed(self) -> int:
        """Return how many commits wait for a standby."""
        return int(self.primary.ask(f"SELECT count(*) {_UNCONFIRMED}"))

    def break_off(self) -> int:
        """Cancel what waits for a standby, as an operator may; return how many there were."""
        return int(self.primary.ask(f"SELECT count(pg_cancel_backend(pid)) {_UNCONFIRMED}"))

    def fail_over(self) -> None:
        """Promote the standby that has more, and let the other follow it. The primary is dead."""
        promoted, other = sorted(self.standbys, key=Node.received, reverse=True)
        assert promoted.ask("SELECT pg_promote(true, 20)")
        other.follow(promoted)
        self.primary, self.standbys = promoted, [other]


@pytest.fixture(scope="module")
def trio() -> Any:
    """A primary with two standbys, for the tests of one module."""
    try:
        own = Trio()
    except NoPostgreSQL as error:
        pytest.skip(str(error))
    with own:
        yield own
