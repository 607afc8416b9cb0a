"""Fixtures for pytest: a real engine, and an account in it for each test.

    # conftest.py
    pytest_plugins = ["tidings.testing.fixtures"]

They are asked for by that line and not found by themselves: a plugin that pytest loads wherever the
package is installed would cost every test run of every consumer an import of all of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tidings.testing.running_engine import Account, Engine, engine


@pytest.fixture(scope="session")
def tidings_engine() -> Iterator[Engine]:
    """One engine for all tests of a run; `engine()` makes one that a test may kill."""
    with engine() as running:
        yield running


@pytest.fixture
def tidings_account(tidings_engine: Engine) -> Account:
    """Return an account that no other test has, with an admin key."""
    return tidings_engine.account()
