"""A real server process on a free port and a fresh database, for tests that stop and kill it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import httpx
import msgspec
import pytest

from tidings.cli import main
from tidings.client import Client, Patience
from tidings.clock import SystemClock
from tidings.config import ENV_PREFIX
from tidings.demo.processes import ServerProcess
from tidings.domain.key import Role
from tidings.testing.keys import make_key

ACCOUNT = "acme"
COMMAND_SECONDS = 30.0
OFTEN = ("--requests-per-second", "1000")
"""Most tests ask faster than a client should; those of the rate limit say 5 again."""


class RunningServer:
    """`tidings serve --dev` while it is entered. Every wait in it has a bound."""

    def __init__(self, folder: Path, *more_arguments: str, database: str | None = None) -> None:
        self.folder = folder
        self.database = database or f"sqlite:///{folder}/tidings.db"
        self._process = ServerProcess(self.database, folder, SystemClock(), *OFTEN, *more_arguments)
        self._names = 0
        # Without TLS, whose authorities take 30 ms to be read, which each call would do anew.
        self.http = httpx.Client(trust_env=False, verify=False)

    def __enter__(self) -> RunningServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.http.close()
        self.kill()

    @property
    def url(self) -> str:
        """Where it listens; the same over all its lives."""
        return self._process.url

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        self._process.start()
        self._process.wait_until_ready()

    def start_soon(self) -> None:
        """Start it without waiting."""
        self._process.start()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def stop(self) -> int | None:
        """SIGTERM; return the exit code."""
        return self._process.stop()

    def log(self) -> str:
        """Return what it wrote so far, in all its lives."""
        return self._process.output()

    def make_key(self, role: str = "admin", *, account: str = ACCOUNT) -> str:
        """Make a key in the database, beside the server."""
        self._names += 1
        name = f"key {self._names}"
        return make_key(self.database, account=account, name=name, role=Role(role))

    def client(self, key: str, *, patience_seconds: float = 0.0) -> Client:
        """Return a client; without patience it raises what it meets."""
        patience = Patience(total_seconds=patience_seconds, longest_seconds=0.2)
        return Client(self.url, key, pause=SystemClock().pause, patience=patience)

    def call(self, method: str, key: str, wish: object) -> httpx.Response:
        """POST one method of the webhook service."""
        path = f"/smartsuite.webhooks.engine.Webhooks/{method}"
        return self.post(path, key, msgspec.json.encode(wish))

    def publish(self, key: str, body: bytes) -> httpx.Response:
        """POST changes."""
        return self.post("/v1/changes", key, body)

    def post(self, path: str, key: str, body: bytes) -> httpx.Response:
        """POST a body of JSON, with a key as SmartSuite writes it."""
        headers = {"Authorization": f"Token {key}", "Content-Type": "application/json"}
        return self.http.post(f"{self.url}{path}", headers=headers, content=body)

    def run(
        self, *arguments: str, key: str | None = None, given: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the real command `tidings` against this server and its database."""
        return run_command(*arguments, folder=self.folder, given=given, **self._settings(key))

    def run_here(
        self, *arguments: str, key: str | None = None, given: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Do the same within this process."""
        return run_here(*arguments, folder=self.folder, given=given, **self._settings(key))

    def _settings(self, key: str | None) -> dict[str, str]:
        return {
            "TIDINGS_DATABASE": self.database,
            "TIDINGS_URL": self.url,
            "TIDINGS_KEY": key or "",
        }


def run_command(
    *arguments: str, folder: Path, given: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run `tidings` to its end, with these variables and no others of Tidings."""
    return subprocess.run(
        [sys.executable, "-m", "tidings", *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **environment},
        input=given,
        capture_output=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def run_here(
    *arguments: str, folder: Path, given: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run `tidings` to its end within this process: all of it but the half second of its start."""
    said, complained = io.BytesIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        # What commands make is their owner's alone; the tests that follow keep their own umask.
        patch.setattr(os, "umask", lambda mask: 0)
        patch.setattr(sys, "argv", ["tidings", *arguments])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        patch.setattr(sys, "stdout", io.TextIOWrapper(said, write_through=True))
        patch.setattr(sys, "stderr", io.TextIOWrapper(complained, write_through=True))
        with pytest.raises(SystemExit) as ended:
            main()
        code = int(ended.value.code or 0)
        return subprocess.CompletedProcess(arguments, code, said.getvalue(), complained.getvalue())


def changes_body(solution: str, first: int, count: int = 1) -> bytes:
    """Return a publish of `count` records, from number `first` on."""
    return msgspec.json.encode(
        {
            "solution_id": solution,
            "changes": [
                {
                    "kind": "RECORD_CREATED",
                    "application_id": "table",
                    "record_id": str(number),
                    "data": {"number": number},
                }
                for number in range(first, first + count)
            ],
        }
    )
