"""The servers that are measured: started, looked at from outside, and always stopped."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tidings.clock import SystemClock

_READY_SECONDS = 120.0
_STOP_SECONDS = 40.0
_LOOK_SECONDS = 0.02
_IDLE_SECONDS = 0.5
_IDLE_SHARE = 0.2
"""Of a processor, below which a server counts as idle."""
_LISTENING = re.compile(r"listening on http://127\.0\.0\.1:(\d+)|tidings works as ")
_TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """A server of ours that is running; its port is 0 where it listens on none."""

    def __init__(self, pid: int, port: int) -> None:
        self.port = port
        self._proc = Path(f"/proc/{pid}")

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used, user's and system's."""
        fields = (self._proc / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_bytes(self) -> int:
        """Return the memory that it holds."""
        found = re.search(r"^VmRSS:\s+(\d+) kB$", (self._proc / "status").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024


@contextmanager
def running(module: str, *arguments: object, log: Path) -> Iterator[Process]:
    """Start `python -m module arguments …`; yield once it says where it listens; stop it after."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    environment = {**os.environ, "TIDINGS_LOG_LEVEL": "warning"}
    with log.open("wb") as lines:
        process = subprocess.Popen(  # noqa: S603 - our own modules
            command, stdout=lines, stderr=subprocess.STDOUT, env=environment
        )
    try:
        yield Process(process.pid, _port_of(process, log))
    finally:
        process.terminate()
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port_of(process: subprocess.Popen[bytes], log: Path) -> int:
    clock = SystemClock()
    ends_at = clock.monotonic() + _READY_SECONDS
    while (found := _LISTENING.search(log.read_text())) is None:
        if process.poll() is not None or clock.monotonic() > ends_at:
            raise RuntimeError(f"it didn't come up:\n{log.read_text()}")
        clock.pause(_LOOK_SECONDS)
    return int(found[1] or 0)


def _wait_until_idle(process: Process) -> None:
    """Return once a server has worked off what filling its database left it to follow."""
    clock = SystemClock()
    ends_at, before = clock.monotonic() + _READY_SECONDS, 0.0
    while (spent := process.cpu_seconds()) - before > _IDLE_SHARE * _IDLE_SECONDS:
        if clock.monotonic() > ends_at:
            raise RuntimeError("it doesn't come to rest")
        before = spent
        clock.pause(_IDLE_SECONDS)


@contextmanager
def tidings(database: str, folder: Path, *flags: object) -> Iterator[Process]:
    """Run `tidings serve` on a database; it is idle when it is handed out."""
    arguments = (
        "serve",
        "--dev",
        "--database",
        database,
        "--port",
        0,
        "--requests-per-second",
        100_000,
        *flags,
    )
    with running("tidings", *arguments, log=folder / "tidings.log") as process:
        _wait_until_idle(process)
        yield process
