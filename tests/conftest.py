"""What every test shares: async tests run on asyncio, as the engine does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from tests.private_cluster import cluster, postgres_url

__all__ = ["cluster", "postgres_url"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Undo how a command set the log up: it writes to a stream that is closed with its test."""
    yield
    structlog.reset_defaults()
