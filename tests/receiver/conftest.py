"""Followers in both colours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.receiver.following import Follow, Following
from tests.receiver.log_server import LogServer


@pytest.fixture(params=["thread", "loop"])
def follow(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Follow]:
    """Make followers of one consumer: one after the other, as after a restart."""
    monkeypatch.setattr(Following, "asynchronous", request.param == "loop")
    made: list[Following] = []

    def one(server: LogServer, **wishes: Any) -> Following:
        made.append(Following(server, tmp_path, **wishes))
        return made[-1]

    yield one
    for following in made:
        following.close()
