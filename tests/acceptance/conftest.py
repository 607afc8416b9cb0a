"""Databases of both kinds for servers that run as processes."""

from __future__ import annotations

import asyncio

import pytest

from tests.private_cluster import PrivateCluster
from tidings.storage.migrate import migrate

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="module", params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a fresh database: of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('database')}/tidings.db"
    cluster: PrivateCluster = request.getfixturevalue("cluster")
    url = cluster.create_database()
    asyncio.run(migrate(url))
    return url
