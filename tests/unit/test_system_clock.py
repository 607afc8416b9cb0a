"""The machine's clock as the engine sees it."""

from __future__ import annotations

import sys
import time

import pytest

from tidings.clock import SystemClock

SLEPT_SECONDS = 7_200.0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a clock that runs on in sleep")
def test_the_time_in_which_the_machine_slept_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, look = SystemClock(), time.clock_gettime
    before = clock.monotonic()
    slept = {time.CLOCK_BOOTTIME: SLEPT_SECONDS}
    monkeypatch.setattr(time, "clock_gettime", lambda which: look(which) + slept.get(which, 0.0))
    assert clock.monotonic() - before >= SLEPT_SECONDS
