"""How PostgreSQL keeps the log in order: head locks, one transaction a group, keys (L2 to L4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
import psycopg
import pytest

from tidings.clock import SystemClock
from tidings.domain.buckets import bucket_of, lane_of
from tidings.domain.positions import instant_of
from tidings.errors import InvalidArgument, LogOverloaded, TidingsError
from tidings.storage.postgres import PostgresStorage, transaction
from tidings.storage.postgres.queries import load_queries
from tidings.testing.storage_races import race
from tidings.testing.storage_samples import ACCOUNT, SOLUTION, entry, publish, whole_log

from .postgres_setting import PostgresDatabase

pytestmark = pytest.mark.anyio

BUCKET = bucket_of(ACCOUNT, SOLUTION)
LONG = "\U0001f600" * 255
"""An id of as many characters as one may have, each of four bytes."""
LOCK_HEAD = b"SELECT floor FROM head WHERE bucket = %d FOR UPDATE"


@asynccontextmanager
async def opened(
    database: PostgresDatabase, processes: int = 1
) -> AsyncIterator[list[PostgresStorage]]:
    """Open a database as so many processes would."""
    storages = [await database.open(SystemClock()) for _ in range(processes)]
    try:
        yield storages
    finally:
        for storage in storages:
            await storage.close()


def solutions_of_lane(lane: int, count: int) -> list[str]:
    """Return solutions whose buckets differ and lie in one lane, the highest bucket first."""
    found: dict[int, str] = {}
    for number in range(10_000):
        bucket = bucket_of(ACCOUNT, f"s{number}")
        if lane_of(bucket, 4) == lane:
            found.setdefault(bucket, f"s{number}")
    return [found[bucket] for bucket in sorted(found, reverse=True)[:count]]


def commits_of(database: PostgresDatabase, subject: str) -> int:
    """Return how many transactions wrote the entries of a subject."""
    query = "SELECT count(DISTINCT xmin::text) FROM change_log WHERE subject LIKE %s"
    with psycopg.connect(database.url) as connection:
        [(found,)] = connection.execute(query, [subject]).fetchall()
    return int(found)


async def test_racing_processes_leave_nothing_that_a_reader_skips(
    postgres: PostgresDatabase,
) -> None:
    async with opened(postgres, 2) as (first, second):
        report = await race([first.log, second.log], first.log, appends=480)
    assert len(report.acknowledged) == 480
    assert (report.missed_by_tail, report.missed_by_pages, report.repeated) == ((), (), ())


async def test_without_the_head_lock_the_race_is_lost(
    postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the lock is for: without it positions are given twice, or a reader passes one."""
    lock = load_queries("transactions")["prepare_lock_head"]
    assert lock.endswith("FOR NO KEY UPDATE")
    monkeypatch.setattr(transaction, "_PREPARE", lock.removesuffix("FOR NO KEY UPDATE"))
    lost = False
    async with opened(postgres, 2) as (first, second):
        for _ in range(10):
            try:
                report = await race([first.log, second.log], first.log, appends=160)
            except TidingsError:
                lost = True
            else:
                lost = bool(report.missed_by_tail or report.missed_by_pages or report.repeated)
            if lost:
                break
    assert lost


async def test_a_database_that_defaults_to_another_isolation_changes_nothing(
    postgres: PostgresDatabase,
) -> None:
    """Under REPEATABLE READ a second appender reads a stale last, without an error (L2)."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        name = connection.info.dbname.encode()
        alter = b"ALTER DATABASE " + name
        connection.execute(alter + b" SET default_transaction_isolation = 'repeatable read'")
        try:
            async with opened(postgres, 2) as (first, second):
                report = await race([first.log, second.log], first.log, appends=160)
        finally:
            connection.execute(alter + b" RESET default_transaction_isolation")
    assert len(report.acknowledged) == 160
    assert (report.missed_by_tail, report.missed_by_pages, report.repeated) == ((), (), ())


async def test_an_append_waits_for_its_own_bucket_s_head_and_takes_the_time_after_it(
    postgres: PostgresDatabase,
) -> None:
    elsewhere = next(s for s in solutions_of_lane(lane_of(BUCKET + 1, 4), 1))
    async with opened(postgres) as [storage]:
        await storage.log.append(publish(entry("connected")))
        with psycopg.connect(postgres.url) as holder:
            holder.execute(LOCK_HEAD % BUCKET)
            waiting = asyncio.ensure_future(storage.log.append(publish(entry("waits"))))
            await storage.log.append(publish(entry("goes by"), solution=elsewhere))
            assert not waiting.done()
            released_at = SystemClock().now()
            holder.rollback()
        receipt = await waiting
    assert receipt.first_position is not None
    assert instant_of(receipt.first_position) >= released_at - timedelta(milliseconds=2)


async def test_groups_of_two_processes_over_the_same_buckets_never_deadlock(
    postgres: PostgresDatabase,
) -> None:
    solutions = solutions_of_lane(1, 12)

    async def appends(storage: PostgresStorage, order: Sequence[str]) -> None:
        for _ in range(10):
            await asyncio.gather(
                *(storage.log.append(publish(entry(), solution=solution)) for solution in order)
            )

    async with opened(postgres, 2) as (first, second):
        await asyncio.gather(appends(first, solutions), appends(second, solutions[::-1]))
        log = await whole_log(first.log, bucket_of(ACCOUNT, solutions[0]))
    assert len(log) == 20
    with psycopg.connect(postgres.url) as connection:
        [deadlocks] = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone() or [None]
    assert deadlocks == 0


async def test_what_waits_for_a_commit_goes_into_the_next_one_together(
    postgres: PostgresDatabase,
) -> None:
    async with opened(postgres) as [storage]:
        await storage.log.append(publish(entry("connected")))
        with psycopg.connect(postgres.url) as holder:
            holder.execute(LOCK_HEAD % BUCKET)
            waiting = [
                asyncio.ensure_future(storage.log.append(publish(entry(f"e{n}"))))
                for n in range(30)
            ]
            await asyncio.sleep(0)
            holder.rollback()
        await asyncio.gather(*waiting)
    assert commits_of(postgres, "e%") <= 2


async def test_lanes_that_carry_little_go_together(postgres: PostgresDatabase) -> None:
    """A commit each would cost four times the round trips; for one lane nothing is gained by it."""
    solutions = [solutions_of_lane(lane, 1)[0] for lane in range(4)]
    async with opened(postgres) as [storage]:
        await storage.log.append(publish(entry("connected")))
        await asyncio.gather(
            *(storage.log.append(publish(entry("e"), solution=name)) for name in solutions * 5)
        )
    assert commits_of(postgres, "e") <= 2


async def test_a_lane_that_carries_much_goes_beside_those_that_are_under_way(
    postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.domain.limits.LOCK_PATIENCE_MS", 60_000)
    monkeypatch.setattr("tidings.domain.limits.LANE_ALONE_ROWS", 30)
    [elsewhere] = solutions_of_lane(lane_of(BUCKET + 1, 4), 1)
    async with opened(postgres) as [storage]:
        await storage.log.append(publish(entry("connected")))
        with psycopg.connect(postgres.url) as holder:
            holder.execute(LOCK_HEAD % BUCKET)
            waiting = asyncio.ensure_future(storage.log.append(publish(entry("quiet"))))
            await asyncio.sleep(0)  # it is queued, and goes in the next turn
            await asyncio.sleep(0)
            much = publish(*(entry("loud") for _ in range(30)), solution=elsewhere)
            assert (await storage.log.append(much)).accepted == 30
            assert not waiting.done()
            holder.rollback()
        assert (await waiting).accepted == 1


async def test_who_holds_a_head_holds_up_its_lane_and_not_those_that_went_with_it(
    postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.domain.limits.LOCK_PATIENCE_MS", 10)
    others = [solutions_of_lane(lane_of(BUCKET + n, 4), 1)[0] for n in (1, 2, 3)]
    async with opened(postgres) as [storage]:
        await storage.log.append(publish(entry("connected")))
        with psycopg.connect(postgres.url) as holder:
            holder.execute(LOCK_HEAD % BUCKET)
            waiting = [
                asyncio.ensure_future(storage.log.append(publish(entry(f"held {n}"))))
                for n in range(3)
            ]
            for n in range(3):
                went_with = (publish(entry(f"{n}"), solution=solution) for solution in others)
                await asyncio.gather(*map(storage.log.append, went_with))
            assert not any(one.done() for one in waiting)
            holder.rollback()
        await asyncio.gather(*waiting)
        log = await whole_log(storage.log, BUCKET)
    assert [name for _, name in log] == ["connected", "held 0", "held 1", "held 2"]


async def test_a_key_we_made_and_a_client_s_repeat_may_go_together(
    postgres: PostgresDatabase,
) -> None:
    async with opened(postgres) as [storage]:
        first = await storage.log.append(publish(entry("first"), key="k"))
        receipts = await asyncio.gather(
            storage.log.append(publish(entry("new"), key_is_new=True)),
            storage.log.append(publish(entry("repeat"), key="k")),
            storage.log.append(publish(entry("newer"), key_is_new=True)),
        )
        log = await whole_log(storage.log, BUCKET)
    assert [name for _, name in log] == ["first", "new", "newer"]
    assert receipts[1] == first


async def test_appends_lock_the_head_and_leave_its_row_as_it_is(postgres: PostgresDatabase) -> None:
    """A row that each append updated would rot while a snapshot is open (mechanics L2)."""
    where = b"SELECT ctid::text, xmin::text, floor FROM head WHERE bucket = %d" % BUCKET
    async with opened(postgres) as [storage]:
        with psycopg.connect(postgres.url) as connection:
            before = connection.execute(where).fetchone()
        for _ in range(3):
            await storage.log.append(publish(entry()))
        with psycopg.connect(postgres.url) as connection:
            locked = b"SELECT xmax::text <> '0' FROM head WHERE bucket = %d" % BUCKET
            assert connection.execute(where).fetchone() == before
            assert connection.execute(locked).fetchone() == (True,)


async def test_what_the_log_can_not_hold_is_refused_before_it_waits(
    postgres: PostgresDatabase,
) -> None:
    refused = (
        publish(entry("NUL \0")),
        publish(msgspec.structs.replace(entry(), by="\ud800")),
        publish(msgspec.structs.replace(entry(), kind=64)),
        publish(entry(application=LONG), solution=LONG, account=LONG),
        publish(entry(), key="\0"),
    )
    async with opened(postgres) as [storage]:
        for append in refused:
            with pytest.raises(InvalidArgument):
                await storage.log.append(append)
        assert (await storage.log.append(publish(entry("sound")))).accepted == 1


async def test_a_queue_that_is_full_refuses_at_once_and_empties(
    postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.domain.limits.APPEND_QUEUE_REQUESTS", 5)
    async with opened(postgres) as [storage]:
        with psycopg.connect(postgres.url) as holder:
            holder.execute(LOCK_HEAD % BUCKET)
            waiting = [
                asyncio.ensure_future(storage.log.append(publish(entry()))) for _ in range(5)
            ]
            await asyncio.sleep(0)
            with pytest.raises(LogOverloaded):
                await storage.log.append(publish(entry()))
            holder.rollback()
        assert all([(await one).accepted == 1 for one in waiting])


async def test_a_repeat_alone_commits_as_durably_as_a_first(postgres: PostgresDatabase) -> None:
    """Its transaction writes, so it waits for a standby, which the first may not have reached."""

    def written() -> int:
        with psycopg.connect(postgres.url) as connection:
            row = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
        assert row is not None
        return int(row[0])

    async with opened(postgres) as [storage]:
        first = await storage.log.append(publish(entry(), key="k"))
        before = written()
        assert await storage.log.append(publish(entry(), key="k")) == first
        assert written() == before + 2  # this look has one of both, the repeat the other
