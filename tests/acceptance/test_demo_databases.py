"""What the demo keeps its log in: fresh for each act, and gone afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from tests.private_cluster import PrivateCluster
from tidings.demo.databases import Databases
from tidings.errors import ConfigurationError
from tidings.storage.migrate import schema_state


class ActFailed(Exception):
    """What an act may raise."""


def silent(_: str) -> None:
    """Say nothing."""


def test_a_database_of_the_user_s_is_left_as_it_was(
    cluster: PrivateCluster, tmp_path: Path
) -> None:
    url = cluster.create_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE theirs AS SELECT 7 AS n")
    used: list[str] = []

    def use(databases: Databases) -> None:
        with databases.fresh(tmp_path) as database:
            state = asyncio.run(schema_state(database))
            assert state.found == state.needed
            used.append(database)
            raise ActFailed

    with Databases(url, silent) as databases:
        for _ in range(2):
            with pytest.raises(ActFailed):
                use(databases)
    assert len(set(used)) == 2
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tidings%'")
        assert rows.fetchall() == []
        assert connection.execute("SELECT n FROM theirs").fetchone() == (7,)


def test_what_is_no_database_is_refused_in_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match="sqlite, postgresql, or"):
        Databases("mysql://there", silent)
