"""The storage contract, held by SQLite."""

from __future__ import annotations

from tidings.testing.storage_contract import StorageContract


class TestSqlite(StorageContract):
    """Its `database` is the folder's fixture."""
