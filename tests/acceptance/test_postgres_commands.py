"""The command line on a PostgreSQL database: who may make it, and what is said of it."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import psycopg
import pytest

import tidings.storage
from tests.acceptance.processes import run_command, run_here
from tidings.errors import ConfigurationError
from tidings.storage.open import postgres


def test_only_migrate_makes_the_schema_and_doctor_says_how_the_database_stands(
    postgres_url: str, tmp_path: Path
) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        done = run_here(*arguments, folder=tmp_path, TIDINGS_DATABASE=postgres_url)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    code, _, sentence = run("migrate", "--check")
    assert (code, "run `tidings migrate`" in " ".join(sentence.split())) == (1, True)
    code, _, sentence = run("keys", "create", "--account", "a", "--name", "n", "--role", "admin")
    assert (code, "run tidings migrate" in sentence) == (1, True)
    assert run("migrate")[0] == 0
    code, key, _ = run("keys", "create", "--account", "a", "--name", "n", "--role", "admin")
    assert (code, key.startswith("tdg_")) == (0, True)
    with psycopg.connect(postgres_url) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1 FROM head")
        _, shown, _ = run("doctor", "--json")
    found = {one["check"]: (one["level"], one["sentence"]) for one in msgspec.json.decode(shown)}
    assert found["schema"][0] == "well"
    assert found["postgresql"] == (
        "problem",
        "fsync is off: a crash can lose what was answered with success.",
    )
    assert found["partitions"] == ("well", "Partitions are there for 4 days ahead.")
    assert found["clock"][0] == found["snapshots"][0] == "well"


def test_a_database_that_loses_commits_is_not_served(postgres_url: str, tmp_path: Path) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        name = connection.info.dbname.encode()
        connection.execute(b"ALTER DATABASE " + name + b" SET synchronous_commit = off")
    done = run_command("serve", "--port", "0", folder=tmp_path, TIDINGS_DATABASE=postgres_url)
    assert done.returncode == 1
    assert b"synchronous_commit is off" in done.stderr


def test_without_the_driver_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("tidings.storage.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(tidings.storage, "postgres", raising=False)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'tidings\[postgres\]'"):
        postgres()
