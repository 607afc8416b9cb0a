"""The statements themselves: each can be spread by bucket, and the hot ones go by their index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tidings.clock import SystemClock
from tidings.domain.buckets import bucket_of
from tidings.sql_files import named_queries
from tidings.storage import postgres as adapter
from tidings.storage.postgres import migrate_database, open_postgres
from tidings.storage.postgres.connection import Database
from tidings.storage.postgres.queries import load_queries
from tidings.testing.storage_samples import ACCOUNT, SOLUTION, entry, publish

FOLDER = Path(adapter.__file__).parent
QUERIES = sorted((FOLDER / "sql").glob("*.sql"))
MIGRATIONS = sorted((FOLDER / "migrations").glob("*.sql"))

REFERENCE_TABLES = {
    "account",
    "account_solution",
    "account_webhook",
    "api_key",
    "application",
    "attendance",
    "sweep",
    "tidings_schema",
}
"""Tables that can't begin with the bucket: whole on every machine (mechanics L1)."""

OVER_ALL_BUCKETS = {"next_due", "due", "lowest_floor"}
"""Statements of the sweeper, once a minute: no request and no ping waits for them."""

TAIL = r"Scan (?:Backward )?using change_log_\d+_pkey"
PAGE = r"Scan (?:Backward )?using change_log_\d+_bucket_account_solution_position"

_TABLE = re.compile(r"^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+) \((.*?)^\)", re.M | re.S)
_USED = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)")


def spread_tables() -> dict[str, str]:
    """Return the tables that lie in shards by their bucket, and what defines each."""
    text = "\n".join(path.read_text() for path in MIGRATIONS)
    found = {name: body for name, body in _TABLE.findall(text) if name not in REFERENCE_TABLES}
    views = dict.fromkeys(re.findall(r"^CREATE VIEW (\w+)", text, re.M), "")
    return found | views


def unspreadable(queries: dict[str, str], tables: set[str]) -> list[str]:
    """Return the statements that use a spread table and don't say which bucket they mean.

    Said is: a column list that begins with it, or a comparison with it.
    """
    named = re.compile(r"\bbucket = |\(\s*bucket,|\bbucket\)")
    return [
        name
        for name, text in queries.items()
        if tables & set(_USED.findall(text))
        and name not in OVER_ALL_BUCKETS
        and not named.search(text)
    ]


def test_every_key_begins_with_the_bucket_but_those_of_reference_tables() -> None:
    tables = {name: body for name, body in spread_tables().items() if body}
    assert {"change_log", "idempotency", "webhook", "lease", "debt"} <= set(tables)
    for name, body in tables.items():
        keyed = re.search(r"bucket\s+smallint PRIMARY KEY|(?:KEY|UNIQUE) \(bucket, ", body)
        assert keyed or name == "attempt", name
        assert not re.search(r"(?:KEY|UNIQUE) \((?!bucket)", body), name
    indexes = re.findall(
        r"CREATE (?:UNIQUE )?INDEX (\w+)\s+ON (\w+) \((\w+)",
        "\n".join(path.read_text() for path in MIGRATIONS),
    )
    of_spread = {index: first for index, table, first in indexes if table in tables}
    assert {index for index, first in of_spread.items() if first != "bucket"} == {"webhook_due"}


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_every_statement_on_the_way_of_a_request_says_its_bucket(path: Path) -> None:
    assert unspreadable(dict(named_queries(path.read_text())), set(spread_tables())) == []


@pytest.mark.parametrize(
    "planted",
    [
        "SELECT position FROM change_log WHERE account = $1",
        "DELETE FROM debt WHERE webhook_id = $1",
        "UPDATE lease SET holder = $1 WHERE epoch = $2",
        "SELECT * FROM webhook_whole WHERE webhook_id = $1",
        "INSERT INTO checkpoint (position) VALUES ($1)",
    ],
)
def test_a_planted_statement_without_its_bucket_is_found(planted: str) -> None:
    assert unspreadable({"planted": planted}, set(spread_tables())) == ["planted"]


def test_no_statement_uses_what_correctness_may_not_hang_on() -> None:
    """R2: no notifications, advisory locks or sequences; R4: no writing inside a WITH."""
    for path in [*QUERIES, *MIGRATIONS]:
        text = path.read_text().lower()
        for word in ("notify", "advisory", "nextval", "serial", "identity", "returning *"):
            assert word not in text, f"{path.name}: {word}"
        assert not re.search(r"with \w+ as (?:materialized )?\(\s*(?:insert|update|delete)", text)


@pytest.mark.anyio
async def test_the_two_hot_reads_go_by_their_indexes(postgres_url: str) -> None:
    """By the connections' own settings; on days that are empty, where nothing speaks for one index
    but the statement itself: such a plan is kept until the day's first statistics. In a database of
    its own: one that was filled and emptied has statistics.
    """
    await migrate_database(postgres_url)
    storage = await open_postgres(postgres_url, SystemClock(), serve=True)
    await storage.log.append(publish(*(entry() for _ in range(50))))
    await storage.close()
    database = Database(postgres_url, connections=1, statement_seconds=10)
    queries, bucket = load_queries("change_log"), bucket_of(ACCOUNT, SOLUTION)
    place = (bucket, ACCOUNT, SOLUTION, 0)
    reads: dict[str, tuple[tuple[object, ...], dict[str, str]]] = {
        "read_tail": (([bucket], [0], 100), {"entry": TAIL}),
        "read_heads": (([bucket],), {"entry": TAIL}),
        "page_rows": (
            (*place, 1 << 60, 1022, 100, 51, 1 << 20, "w"),
            {"whole": PAGE},
        ),
        "page_head": ((*place, None, 100, 0, "w"), {"entry": TAIL, "place": PAGE}),
        "scan_span": (
            (*place, 1 << 60, 1022, None, None, 51, 1 << 20),
            {"place": f"Only {PAGE}", "whole": f"{TAIL}|{PAGE}"},
        ),
        "scan_whole_span": ((*place, 1 << 60, 1022, 51, 1 << 20), {"whole": PAGE}),
    }
    try:
        for name, (values, indexes) in reads.items():
            rows = await database.fetch(f"EXPLAIN {queries[name]}", *values)
            plan = [row[0] for row in rows]
            for table, index in indexes.items():
                scans = [line for line in plan if re.search(rf" {table}_\d+  ", line)]
                assert len(scans) >= 5, "each day has one"
                assert [line for line in scans if not re.search(index, line)] == []
            assert [line for line in plan if "Bitmap" in line] == []
    finally:
        await database.close()
