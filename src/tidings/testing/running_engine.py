"""A real engine for a consumer's tests: `tidings serve --dev`, a free port, its own database.

    with engine() as running:
        account = running.account()
        with account.client() as client:
            client.publish_changes("crm", [...], idempotency_key="1")

It is a process, because nothing else is what will run in production: it can be killed in the midst
of a test and started again, and no event loop or signal of the test's is in its way.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tidings.client import AsyncClient, Client, Patience
from tidings.clock import SystemClock
from tidings.demo.processes import ServerProcess
from tidings.domain.key import Role
from tidings.testing.keys import make_key

_FOR_TESTS = (
    *("--requests-per-second", "1000"),
    *("--sheet-requests-per-minute", "60000"),
    *("--callback-gather-seconds", "0.05"),
    *("--log-level", "warning"),
)
"""A test asks faster than a client should, has no time to wait, and reads no log."""
_PATIENCE_SECONDS = 10.0


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account of a running engine, that nobody else has. It sees nothing of others."""

    name: str
    url: str
    """The engine's address."""
    key: str
    """A key of the role that was asked for."""

    def client(self, *, patience: Patience | None = None) -> Client:
        """Return a blocking client. Use it in a `with`, or close it."""
        return Client(self.url, self.key, patience=_patience(patience))

    def async_client(self, *, patience: Patience | None = None) -> AsyncClient:
        """Return an asynchronous client. Use it in an `async with`, or close it."""
        return AsyncClient(self.url, self.key, patience=_patience(patience))


class Engine:
    """A server process and its database in `folder`. `engine()` makes one that is running.

    `arguments` are more flags of `tidings serve`.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.database = f"sqlite:///{folder}/tidings.db"
        """The database's URL: what `tidings keys --database` takes."""
        self._process = ServerProcess(self.database, folder, SystemClock(), *_FOR_TESTS, *arguments)
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """Where it listens; the same over all its lives."""
        return self._process.url

    def start(self) -> None:
        """Start it, or start it again; return when it accepts connections.

        Raises FailedPrecondition, with what the process said, if it ends or takes over 20 s.
        """
        self._process.start()
        self._process.wait_until_ready()

    def stop(self) -> None:
        """SIGTERM: it answers what is open, lets pings land and ends, within 30 s."""
        self._process.stop()

    def kill(self) -> None:
        """SIGKILL. What it had answered is there when it is started again."""
        self._process.kill()

    def log(self) -> str:
        """Return what the process wrote, in all its lives: warnings and errors, as JSON lines."""
        return self._process.output()

    def account(self, name: str | None = None, *, role: Role = Role.ADMIN) -> Account:
        """Return an account with a new key; without a name, one that has never been used.

        With a name that was used, it is another key of that account. It works while the engine is
        stopped, and in an event loop (which it holds up for some milliseconds).
        """
        number = next(self._numbers)
        account = name or f"account-{number}"
        key = make_key(self.database, account=account, name=f"key {number}", role=role)
        return Account(name=account, url=self.url, key=key)


@contextmanager
def engine(*arguments: str) -> Iterator[Engine]:
    """Run an engine in a temporary folder, and end it with the block.

    `arguments` are more flags of `tidings serve`; unless they say otherwise a key may ask 1,000
    times a second, as tests do, and callbacks are gathered for 50 ms. Raises FailedPrecondition
    if it can't start.
    """
    with tempfile.TemporaryDirectory(prefix="tidings-") as folder:
        running = Engine(Path(folder), *arguments)
        try:
            running.start()
            yield running
        finally:
            # Nothing is lost by it, and no test waits for an endpoint that hangs.
            running.kill()


def _patience(given: Patience | None) -> Patience:
    return given or Patience(total_seconds=_PATIENCE_SECONDS)
