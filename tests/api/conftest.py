from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.installation import Installation, installed
from tests.api.sheet_api import SheetApi, serving
from tidings.clock import SystemClock
from tidings.testing.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def installation(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Installation]:
    async with installed(tmp_path, clock) as opened:
        yield opened


@pytest.fixture
async def on_real_time(tmp_path: Path) -> AsyncIterator[Installation]:
    async with installed(tmp_path, SystemClock()) as opened:
        yield opened


@pytest.fixture
async def service(installation: Installation) -> SheetApi:
    return await serving(installation)
