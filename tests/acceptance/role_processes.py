"""Server processes with some of the roles each, on one database: started, killed, paused."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tests.acceptance.processes import OFTEN
from tidings.client import Client, Patience
from tidings.clock import SystemClock
from tidings.demo.processes import Child, free_port
from tidings.domain.server_role import ServerRole

LISTENING, WORKING = "tidings is listening on ", "tidings works as "


class RoleProcess:
    """`tidings serve --roles …` while it is entered; it keeps its port over all its lives."""

    def __init__(
        self,
        database: str,
        folder: Path,
        name: str,
        *roles: ServerRole,
        workers: int = 1,
        options: Sequence[str] = (),
    ) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._workers = workers
        self._ready = LISTENING if ServerRole.API in roles else WORKING
        self._child = Child(name, folder, SystemClock())
        self._arguments = [
            *("serve", "--dev", "--database", database, "--port", self.url.rpartition(":")[2]),
            *("--log-format", "json", "--roles", ",".join(roles), "--workers", str(workers)),
            *OFTEN,
            *options,
        ]

    def __enter__(self) -> RoleProcess:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, without waiting until it is ready."""
        self._child.start("tidings", self._arguments)

    def wait_until_ready(self) -> None:
        """Return once each of its processes said in this life that it works."""
        ready = self._workers * self._child.starts
        self._child.wait_until_ready(lambda: self.log().count(self._ready) >= ready)

    def close(self) -> None:
        """End it, if it runs."""
        self.kill()

    def kill(self) -> None:
        """SIGKILL."""
        self._child.kill()

    def stop(self) -> int | None:
        """SIGTERM; return the exit code."""
        return self._child.stop()

    def pause(self) -> None:
        """SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._child.pid

    def log(self) -> str:
        """Return what it wrote so far, in all its lives."""
        return self._child.output()

    def client(self, key: str, *, patience_seconds: float = 0.0) -> Client:
        """Return a client; without patience it raises what it meets."""
        patience = Patience(total_seconds=patience_seconds, longest_seconds=0.2)
        return Client(self.url, key, pause=SystemClock().pause, patience=patience)
