"""The queries of the .sql files beside this module."""

from __future__ import annotations

from collections.abc import Mapping

from tidings.sql_files import queries_of


def load_queries(room: str) -> Mapping[str, str]:
    """Return the queries of `sql/<room>.sql` by name."""
    return queries_of("tidings.storage.postgres", f"sql/{room}.sql")
