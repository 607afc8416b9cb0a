"""Processes under one parent: which of their ends are mended, and which end all of them."""

from __future__ import annotations

import signal
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

ORPHANS = """
import os, signal, sys, time
from pathlib import Path
from tidings.cli.workers import Workers
from tidings.clock import SystemClock

folder = Path(sys.argv[1])

def work(lifeline):
    (folder / f"working-{os.getpid()}").touch()
    while len(list(folder.glob("working-*"))) < 2:
        time.sleep(0.01)
    os.kill(os.getppid(), signal.SIGKILL)
    os.read(lifeline, 1)
    (folder / f"told-{os.getpid()}").touch()

Workers(2, work, SystemClock()).run()
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


def test_each_worker_is_told_that_its_parent_was_killed(tmp_path: Path) -> None:
    # Its output ends with the last who holds it: the workers, not the parent.
    killed = subprocess.run(
        [sys.executable, "-c", ORPHANS, str(tmp_path)], capture_output=True, timeout=30, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("told-*"))) == 2
