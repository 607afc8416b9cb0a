"""The fixtures that each part of the storage contract stands on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tidings.ports import Storage
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import Database


class StorageSetting:
    """A clock that stands still, and one storage opened on a fresh database."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def clock(self) -> ManualClock:
        """The clock of both the test and the storage."""
        return ManualClock()

    @pytest.fixture
    async def storage(self, database: Database, clock: ManualClock) -> AsyncIterator[Storage]:
        """The storage under test; it is closed when the test ends."""
        storage = await database.open(clock)
        yield storage
        await storage.close()
