"""Every benchmark runs, so that none rots; how fast says nothing at this size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.__main__ import MEASURES
from bench.report import Report, Row

ROOT = Path(__file__).parent.parent.parent
SECONDS = 200


def bench(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"BENCH_SIZES": "smoke", "BENCH_RESULTS": str(folder), **environment}
    return subprocess.run(
        [sys.executable, "-m", "bench"],
        cwd=ROOT,
        env=os.environ | given,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


POSTGRES = ",".join(name for name in MEASURES if name.startswith("postgres"))
"""All of these in one run, which costs less than one each."""
RUNS = [*(name for name in MEASURES if not name.startswith("postgres")), POSTGRES]


@pytest.mark.parametrize("name", RUNS)
def test_a_benchmark_runs_and_keeps_what_it_measured(name: str, tmp_path: Path) -> None:
    done = bench(tmp_path, BENCH=name)
    assert done.returncode == 0, done.stdout + done.stderr
    if "isn't measured" in done.stdout:
        pytest.skip(done.stdout)
    [file] = tmp_path.iterdir()
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    assert report.machine.versions["sqlite"]
    assert report.rows
    for row in report.rows:
        assert is_measured(row), row
        assert row.name in done.stdout


def is_measured(row: Row) -> bool:
    """Whether both sides did something, and no ping was lost on the way."""
    beside = row.bare is not None and row.bare > 0
    return row.ours > 0 and beside and ("missing" not in row.note or "0 pings" in row.note)


def test_a_name_that_is_no_benchmark_is_refused(tmp_path: Path) -> None:
    done = bench(tmp_path, BENCH="speed")
    assert done.returncode == 2
    assert "publish" in done.stdout
    assert not list(tmp_path.iterdir())
