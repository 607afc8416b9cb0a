"""Every test of the client is played twice, in a time that stands still unless it is moved."""

from __future__ import annotations

import pytest

from tests.client.scripted_server import Server
from tidings.clock import SystemClock


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time, which stands still unless a test moves it."""
    time = [0.0]
    monkeypatch.setattr(SystemClock, "monotonic", lambda _: time[0])
    return time


@pytest.fixture(params=["blocking", "asynchronous"], autouse=True)
def _colour(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "blocking", request.param == "blocking")
