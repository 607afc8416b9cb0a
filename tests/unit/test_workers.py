"""Processes under one parent: which of their ends are mended, and which end all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from tidings.cli.workers import Workers
from tidings.clock import SystemClock
from tidings.domain import limits
from tidings.errors import StorageUnavailable

limits.WORKER_STEADY_SECONDS, limits.WORKER_RESTART_SECONDS = 0.2, 0.01
lives, seconds = Path(sys.argv[1]), float(sys.argv[2])

def work(lifeline):
    with lives.open("a") as file:
        file.write("life\\n")
    if len(lives.read_text().split()) > 1:
        os.kill(os.getppid(), signal.SIGTERM)
        signal.pause()
    time.sleep(seconds)
    raise StorageUnavailable("the database is away")

sys.exit(Workers(1, work, SystemClock()).run())
"""


@pytest.mark.parametrize(
    ("seconds", "lives", "code"),
    [
        pytest.param(0.0, 1, 1, id="refuses-its-start"),
        pytest.param(0.3, 2, 0, id="fails-after-it-worked"),
    ],
)
def test_only_a_start_that_is_refused_ends_all_of_them(
    tmp_path: Path, seconds: float, lives: int, code: int
) -> None:
    told = tmp_path / "lives"
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(told), str(seconds)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (len(told.read_text().split()), ended.returncode) == (lives, code)
    assert "the database is away" in ended.stderr
