"""Processes that receive: started, waited for by their port, and always ended."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

SECONDS = 20.0
LOOK_SECONDS = 0.02


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool]) -> None:
    """Return once a condition holds that a real process brings about; fail after SECONDS."""
    ends_at = time.monotonic() + SECONDS  # noqa: TID251 - real processes take real time
    while not condition():
        assert time.monotonic() < ends_at, "it never came about"  # noqa: TID251 - the same
        time.sleep(LOOK_SECONDS)  # noqa: TID251 - the same


@contextmanager
def started(arguments: Sequence[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run Python with arguments, from when the port is open; end it after."""
    process = subprocess.Popen([sys.executable, *arguments])
    try:
        until(lambda: _is_open(port, process))
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_open(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "it ended before it began"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
