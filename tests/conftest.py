"""What every test shares: async tests run on asyncio, as the engine does, and the longest first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.private_cluster import cluster, postgres_url

__all__ = ["cluster", "postgres_url"]

FOLDER = Path(__file__).parent
LONGEST = (
    "test_docs.py",
    "acceptance/test_many_processes.py",
    "acceptance/test_bench.py",
    "acceptance/test_serve.py",
    "acceptance/test_smartsuite_wire.py",
    "acceptance/test_crash_loop.py",
    "acceptance/test_smartsheet_callbacks.py",
    "receiver/test_follower_chaos.py",
    "acceptance/test_failover.py",
    "simulation/test_attacks.py",
    "simulation/test_planted_faults.py",
)
"""Modules of over ten seconds, the longest first: what is begun last is waited for by all."""
WORKERS = 4
"""At most: a container may show more processors than it gets, and each has a PostgreSQL."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: much of the suite waits for processes that it started."""
    return min((os.cpu_count() or 1) + 1, WORKERS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    places = {FOLDER / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Undo how a command set the log up: it writes to a stream that is closed with its test."""
    yield
    structlog.reset_defaults()
