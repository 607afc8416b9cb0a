"""Every benchmark runs, so that none rots; how fast says nothing at this size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.__main__ import MEASURES, main
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


POSTGRES = [name for name in MEASURES if name.startswith("postgres")]
SQLITE = [name for name in MEASURES if name not in POSTGRES]


# All of a kind in one run, which costs less than one each.
@pytest.mark.parametrize("names", [SQLITE, POSTGRES], ids=["sqlite", "postgresql"])
def test_each_benchmark_runs_and_keeps_what_it_measured(names: list[str], tmp_path: Path) -> None:
    done = bench(tmp_path, BENCH=",".join(names))
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


def test_a_name_that_is_no_benchmark_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENCH", "speed")
    monkeypatch.setenv("BENCH_RESULTS", str(tmp_path))
    assert main() == 2
    assert "publish" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
