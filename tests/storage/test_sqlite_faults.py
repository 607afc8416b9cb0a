"""Whatever is wrong with the file, the error is ours, says so, and nothing is half stored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from tidings.domain import limits
from tidings.domain.buckets import bucket_of
from tidings.errors import (
    ConfigurationError,
    DatabaseCorrupted,
    DatabaseInUse,
    LogOverloaded,
    SchemaAhead,
    SchemaBehind,
    StorageUnavailable,
    TidingsError,
)
from tidings.ports import SchemaState
from tidings.storage.migrate import migrate, schema_state
from tidings.storage.open import open_storage
from tidings.storage.sqlite import SqliteStorage, migrate_file, open_sqlite
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import ACCOUNT, SOLUTION, entry, publish, whole_log

from .conftest import SqliteFile

pytestmark = pytest.mark.anyio

BUCKET = bucket_of(ACCOUNT, SOLUTION)


# --- opening ------------------------------------------------------------------------------------


async def test_one_server_at_a_time_holds_the_file_by_whatever_name(
    database: SqliteFile, storage: SqliteStorage, clock: ManualClock, tmp_path: Path
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(database.path)
    for path in (database.path, str(link)):
        with pytest.raises(DatabaseInUse, match="in use by another server"):
            await open_sqlite(path, clock, serve=True)
    beside = await database.open(clock, serve=False)
    await beside.probe()
    await beside.close()
    await storage.close()
    again = await database.open(clock)
    await again.close()


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(
    tmp_path: Path, clock: ManualClock
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Not a database at all. " * 500)
    before = path.read_bytes()
    for attempt in (migrate(f"sqlite:///{path}"), open_sqlite(str(path), clock, serve=True)):
        with pytest.raises(DatabaseCorrupted, match="not a database"):
            await attempt
    assert path.read_bytes() == before


async def test_another_program_s_database_is_refused_and_left_as_it_is(
    tmp_path: Path, clock: ManualClock
) -> None:
    path = tmp_path / "other.db"
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()
    for attempt in (migrate(f"sqlite:///{path}"), open_sqlite(str(path), clock, serve=True)):
        with pytest.raises(DatabaseCorrupted, match="another program"):
            await attempt
    assert path.read_bytes() == before


async def test_a_damaged_database_says_so_and_is_not_written_to(
    database: SqliteFile, clock: ManualClock
) -> None:
    storage = await database.open(clock)
    await storage.log.append(publish(*(entry(f"e{n}", body=b"x" * 900) for n in range(200))))
    await storage.close()
    path = Path(database.path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\xff" * (len(whole) // 2))
    damaged = path.read_bytes()
    storage = await database.open(clock)
    with pytest.raises(DatabaseCorrupted, match="restore it from a backup"):
        await whole_log(storage.log, BUCKET)
    await storage.close()
    assert path.read_bytes() == damaged


async def test_a_newer_schema_is_refused(database: SqliteFile, clock: ManualClock) -> None:
    connection = apsw.Connection(database.path)
    connection.pragma("user_version", 99)
    connection.close()
    with pytest.raises(SchemaAhead):
        await database.open(clock)
    with pytest.raises(SchemaAhead):
        migrate_file(database.path)


async def test_an_unmigrated_database_is_neither_served_nor_made_by_opening(
    tmp_path: Path, clock: ManualClock
) -> None:
    path = tmp_path / "new.db"
    url = f"sqlite:///{path}"
    with pytest.raises(SchemaBehind, match="tidings migrate"):
        await open_storage(url, clock, serve=False)
    state = await schema_state(url)
    assert (state.found, path.exists()) == (0, False)
    assert await migrate(url) == state
    assert await schema_state(url) == SchemaState(state.needed, state.needed)
    assert await migrate(url) == SchemaState(state.needed, state.needed)
    storage = await open_storage(url, clock, serve=True)
    await storage.close()


async def test_a_new_database_is_its_owner_s_alone(
    database: SqliteFile, storage: SqliteStorage
) -> None:
    await storage.log.append(publish(entry()))
    for suffix in ("", "-wal", "-shm"):
        assert Path(database.path + suffix).stat().st_mode & 0o077 == 0


async def test_migrating_waits_for_no_server_but_refuses_beside_one(
    database: SqliteFile, storage: SqliteStorage
) -> None:
    assert migrate_file(database.path).found > 0  # up to date: nothing to do, no lock needed
    connection = apsw.Connection(database.path)
    connection.pragma("user_version", 0)
    connection.close()
    with pytest.raises(DatabaseInUse):
        migrate_file(database.path)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://localhost/tidings",
        "sqlite://host/tidings.db",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///a.db?mode=ro",
        "sqlite:///a%00b.db",
        "tidings.db",
        "sqlite://[half",
        "",
    ],
)
async def test_a_url_that_names_no_file_is_a_wrong_setting(url: str, clock: ManualClock) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await open_storage(url, clock, serve=True)
    assert caught.value.argument == "database"


async def test_a_folder_that_is_not_there_is_a_wrong_setting(
    tmp_path: Path, clock: ManualClock
) -> None:
    path = tmp_path / "absent" / "tidings.db"
    with pytest.raises(ConfigurationError, match="absent"):
        await migrate(f"sqlite:///{path}")
    with pytest.raises(ConfigurationError, match="absent"):
        await open_sqlite(str(path), clock, serve=True)


# --- running ------------------------------------------------------------------------------------


async def test_a_lock_held_by_another_process_passes(
    database: SqliteFile, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DATABASE_BUSY_MS", 20)
    storage = await database.open(clock)
    other = apsw.Connection(database.path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable, match="locked"):
        await storage.log.append(publish(entry(), key="k"))
    with pytest.raises(StorageUnavailable, match="locked"):
        await storage.probe()
    assert await whole_log(storage.log, BUCKET) == []
    other.execute("ROLLBACK")
    assert (await storage.log.append(publish(entry(), key="k"))).accepted == 1
    other.close()
    await storage.close()


async def test_a_full_disk_fails_what_doesn_t_fit_and_passes(storage: SqliteStorage) -> None:
    connection = storage._connection
    pages = connection.pragma("page_count")
    connection.pragma("max_page_count", pages + 5)
    big = [entry(f"e{n}", body=b"x" * 4_000) for n in range(20)]
    outcomes = await asyncio.gather(
        *(storage.log.append(publish(*big)) for _ in range(3)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {StorageUnavailable}
    assert "disk is full" in str(outcomes[0])
    assert await whole_log(storage.log, BUCKET) == []
    connection.pragma("max_page_count", 1_000_000)
    assert (await storage.log.append(publish(*big))).accepted == 20
    assert len(await whole_log(storage.log, BUCKET)) == 20


async def test_a_file_that_became_read_only_passes_when_it_is_mended(
    storage: SqliteStorage,
) -> None:
    storage._connection.pragma("query_only", True)
    with pytest.raises(StorageUnavailable, match="read-only"):
        await storage.log.append(publish(entry()))
    with pytest.raises(StorageUnavailable, match="read-only"):
        await storage.probe()
    storage._connection.pragma("query_only", False)
    await storage.probe()


class ReadOnlyDisk(apsw.VFS):
    """The default file system to a user who may read the database and not write it."""

    def __init__(self) -> None:
        super().__init__("tidings-read-only", base="unix", makedefault=True)

    def xOpen(  # noqa: N802 - SQLite's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        wanted = flags[0] & ~(apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        if flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            flags[0] = flags[1] = wanted | apsw.SQLITE_OPEN_READONLY
        return apsw.VFSFile("unix", name, flags)


async def test_a_file_that_may_only_be_read_is_read_and_says_why_it_is_not_written(
    database: SqliteFile, clock: ManualClock
) -> None:
    storage = await database.open(clock)
    await storage.log.append(publish(entry("kept")))
    disk = ReadOnlyDisk()
    try:
        reader = await database.open(clock, serve=False)
    finally:
        disk.unregister()
    for write in (reader.log.append(publish(entry())), reader.probe()):
        with pytest.raises(StorageUnavailable, match="can't be written: it is read-only"):
            await write
    assert [name for _, name in await whole_log(reader.log, BUCKET)] == ["kept"]
    await reader.close()
    await storage.close()


async def test_a_queue_that_is_full_refuses_and_queues_nothing(
    storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "APPEND_QUEUE_REQUESTS", 3)
    appends = [storage.log.append(publish(entry(f"e{n}"))) for n in range(5)]
    outcomes = await asyncio.gather(*appends, return_exceptions=True)
    assert [type(outcome).__name__ for outcome in outcomes[3:]] == ["LogOverloaded"] * 2
    assert len(await whole_log(storage.log, BUCKET)) == 3
    monkeypatch.setattr(limits, "APPEND_QUEUE_BYTES", 10)
    with pytest.raises(LogOverloaded) as caught:
        await storage.log.append(publish(entry(body=b"x" * 11)))
    assert caught.value.retry_after_seconds > 0


# --- failing at operation n, for n = 1, 2, 3 … --------------------------------------------------


class FailingDisk(apsw.VFS):
    """The default file system, but the n-th write or sync after arming fails, once."""

    def __init__(self) -> None:
        self.left = 0
        super().__init__("tidings-failing", base="unix", makedefault=True)

    def xOpen(  # noqa: N802 - SQLite's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        return _FailingFile(self, name, flags)

    def count_down(self, error: type[apsw.Error]) -> None:
        self.left -= 1
        if self.left == 0:
            raise error("planted")


class _FailingFile(apsw.VFSFile):
    def __init__(
        self, disk: FailingDisk, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._disk = disk
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.count_down(apsw.FullError)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.count_down(apsw.IOError)
        super().xSync(flags)


@pytest.fixture
def failing_disk() -> Iterator[FailingDisk]:
    disk = FailingDisk()
    yield disk
    disk.unregister()


async def test_a_disk_that_fails_at_any_operation_loses_nothing_acknowledged(
    tmp_path: Path, clock: ManualClock, failing_disk: FailingDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WAL_BYTES", 40_000)  # checkpoints fail too
    failures = 0
    for operation in range(1, 40):
        database = SqliteFile(tmp_path / f"{operation}.db")
        storage = await database.open(clock)
        failing_disk.left = operation
        acknowledged = set()
        for number in range(6):
            try:
                await storage.log.append(publish(entry(f"a{number}"), entry(f"b{number}")))
            except TidingsError:
                failures += 1
            else:
                acknowledged |= {f"a{number}", f"b{number}"}
        await storage.close()
        failing_disk.left = 0
        storage = await database.open(clock)
        stored = [subject for _, subject in await whole_log(storage.log, BUCKET)]
        await storage.close()
        assert acknowledged <= set(stored)
        assert len(stored) % 2 == 0
        assert {f"b{subject[1:]}" for subject in stored} <= set(stored)
    assert failures > 10
