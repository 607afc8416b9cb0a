"""Databases of both kinds: a test that takes one is written once, and runs on each.

What is one adapter's own says so, and why: `@pytest.mark.only_on("sqlite", "one server a file")`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.private_cluster import PrivateCluster

KINDS = ("sqlite", "postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what takes a database on each kind of them, in turn."""
    if "kind" in metafunc.fixturenames:
        kinds: Sequence[str] = KINDS
        if mark := metafunc.definition.get_closest_marker("only_on"):
            kind, _why = mark.args
            assert kind in KINDS
            kinds = [kind]
        metafunc.parametrize("kind", kinds, scope="module")


@pytest.fixture(scope="module")
def make_database(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], str]:
    """Return what makes a fresh database and returns its URL."""
    if kind == "sqlite":
        return lambda: f"sqlite:///{tmp_path_factory.mktemp('database')}/tidings.db"
    cluster: PrivateCluster = request.getfixturevalue("cluster")
    return cluster.create_migrated_database


@pytest.fixture(scope="module")
def database(make_database: Callable[[], str]) -> str:
    """Return the URL of a database that the tests of a module share."""
    return make_database()


@pytest.fixture
def own_database(make_database: Callable[[], str]) -> str:
    """Return the URL of a database that one test has for itself."""
    return make_database()
