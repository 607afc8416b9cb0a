"""The tests' own PostgreSQL: it comes, forgets nothing when it is killed, and goes."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.private_cluster import PrivateCluster
from tidings.demo import private_postgres
from tidings.demo.private_postgres import NoPostgreSQL, wheel_binaries


def test_every_test_gets_a_database_of_its_own(cluster: PrivateCluster) -> None:
    first, second = cluster.create_database(), cluster.create_database()
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    with psycopg.connect(second) as connection:
        found = connection.execute("SELECT to_regclass('kept')").fetchone()
    assert found == (None,)


class TestFailed(Exception):
    """What a test may raise while its server runs."""

    __test__ = False


def test_a_killed_server_is_back_with_what_was_committed_and_gone_when_its_test_fails() -> None:
    try:
        own = PrivateCluster(binaries=wheel_binaries(), settings={"wal_level": "logical"})
    except NoPostgreSQL as error:
        pytest.skip(str(error))
    pids: list[int] = []

    def use() -> None:
        with own:
            pids.append(own.pid)
            assert Path(f"/proc/{own.pid}").stat().st_uid != 0
            with psycopg.connect(own.url()) as connection:
                connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
            own.kill()
            own.start()
            pids.append(own.pid)
            with psycopg.connect(own.url()) as connection:
                assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
                assert connection.execute("SHOW wal_level").fetchone() == ("logical",)
            raise TestFailed

    with pytest.raises(TestFailed):
        use()
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert not own.folder.exists()


def test_a_machine_without_postgresql_is_told_so_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(private_postgres, "DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NoPostgreSQL, match="no PostgreSQL on this machine"), PrivateCluster():
        pass
