"""Followers in both colours; an inbox of each kind, empty; a clock that tests move."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.private_cluster import PrivateCluster
from tests.receiver.following import Follow, Following
from tests.receiver.log_server import LogServer
from tidings.testing.clock import ManualClock

SCHEMAS = itertools.count()


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


@pytest.fixture(scope="module")
def database(cluster: PrivateCluster) -> str:
    return cluster.create_database()


@pytest.fixture(params=["sqlite", "postgres"])
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return an inbox of each kind, empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'inbox.db'}"
    database: str = request.getfixturevalue("database")
    schema = f"test_{next(SCHEMAS)}"  # made faster than a database
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    return f"{database}?search_path={schema}"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
