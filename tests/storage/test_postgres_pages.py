"""How PostgreSQL reads pages: a full one of a whole solution in one round trip (mechanics P1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tidings.clock import SystemClock
from tidings.storage.postgres import PostgresStorage
from tidings.storage.postgres.connection import Database
from tidings.testing.storage_samples import bodies, entry, page_query, publish

from .postgres_setting import PostgresDatabase

pytestmark = pytest.mark.anyio


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The first words of each statement that was read by."""
    seen: list[str] = []
    fetch = Database.fetch

    async def counted(self: Database, query: str, *values: object) -> Sequence[Any]:
        seen.append(query.strip().split("\n")[1].strip())
        return await fetch(self, query, *values)

    monkeypatch.setattr(Database, "fetch", counted)
    return seen


async def filled(postgres: PostgresDatabase) -> PostgresStorage:
    storage = await postgres.open(SystemClock())
    await storage.log.append(publish(*(entry(f"{n}") for n in range(12))))
    return storage


async def test_a_full_page_is_one_statement_and_the_rest_of_the_log_two(
    postgres: PostgresDatabase, statements: list[str]
) -> None:
    storage = await filled(postgres)
    try:
        statements.clear()
        first = await storage.log.read_page(page_query(limit=8))
        assert (len(first.entries), first.has_more, len(statements)) == (8, True, 1)
        rest = await storage.log.read_page(page_query(limit=8, after=first.end))
        assert (len(rest.entries), rest.has_more, len(statements)) == (4, False, 3)
    finally:
        await storage.close()


async def test_what_is_appended_between_a_page_s_statements_is_in_it_once(
    postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows come before its bound is known: that of a later snapshot, to which it reads on."""
    storage = await filled(postgres)
    fetch = Database.fetch
    reads = 0

    async def appending(self: Database, query: str, *values: object) -> Sequence[Any]:
        nonlocal reads
        reads += 1
        rows = await fetch(self, query, *values)
        await storage.log.append(publish(entry(f"after {reads}")))
        return rows

    monkeypatch.setattr(Database, "fetch", appending)
    try:
        page = await storage.log.read_page(page_query())
        monkeypatch.setattr(Database, "fetch", fetch)
        rest = await storage.log.read_page(page_query(after=page.end))
    finally:
        await storage.close()
    assert bodies(page) == [*(f"{n}".encode() for n in range(12)), b"after 1"]
    assert bodies(rest) == [f"after {n}".encode() for n in range(2, reads + 1)]


async def test_bodies_that_are_large_for_their_page_are_counted_together(
    postgres: PostgresDatabase,
) -> None:
    storage = await postgres.open(SystemClock())
    sizes = [10, 900, 10, 900, 10]
    try:
        large = (entry(f"{n}", body=bytes(size)) for n, size in enumerate(sizes))
        await storage.log.append(publish(*large))
        page = await storage.log.read_page(page_query(limit=9, max_bytes=1_000))
    finally:
        await storage.close()
    assert ([len(body) for body in bodies(page)], page.has_more) == ([10, 900, 10, 900], True)
