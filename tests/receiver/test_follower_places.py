"""Places beside the consumer's tables: work and move are one, or neither happened."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
    nullcontext,
)
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
import sqlalchemy
from psycopg.rows import dict_row
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

from tests.receiver.log_server import WEBHOOK, LogServer
from tidings.client import EventsPage
from tidings.clock import SystemClock
from tidings.errors import FailedPrecondition, RevisionConflict
from tidings.receiver.follower import (
    BEGINNING,
    AsyncFollower,
    AsyncpgPlaces,
    AsyncPsycopgPlaces,
    AsyncSqlalchemyPlaces,
    Follower,
    PsycopgPlaces,
    SqlalchemyPlaces,
    SqlitePlaces,
)

WORK = "INSERT INTO work VALUES (1)"
Run = Callable[[Any, str], object]
"""Executes a statement in a transaction that a store gave."""


class Kept:
    """A store of places, and how its transactions are used."""

    def __init__(self, places: Any, run: Run, end: Callable[[Any], object], url: str) -> None:
        self.places = places
        self.run = run
        self.end = end
        """Commits as a handler must not."""
        self._url = url

    def work(self, then: Callable[[Any], object]) -> None:
        """Work and move from the beginning, and do something more before the end."""
        with self.places.moving(WEBHOOK, BEGINNING, "10") as transaction:
            self.run(transaction, WORK)
            then(transaction)

    def rows(self) -> int:
        """Return how many rows of work there are, durably."""
        ask = "SELECT count(*) FROM work"
        if self._url.startswith("postgresql"):
            with psycopg.connect(self._url) as connection:
                found = connection.execute(ask.encode()).fetchone()
        else:
            with closing(sqlite3.connect(self._url)) as file:
                found = file.execute(ask).fetchone()
        assert found is not None
        return int(found[0])


@contextmanager
def sqlite_kept(url: str) -> Iterator[Kept]:
    with closing(SqlitePlaces(url)) as places:
        yield Kept(places, lambda file, text: file.execute(text), lambda file: file.commit(), url)


@contextmanager
def psycopg_kept(url: str) -> Iterator[Kept]:
    places = PsycopgPlaces(lambda: psycopg.connect(url))
    places.make_table()
    yield Kept(
        places,
        lambda connection, text: connection.execute(text.encode()),
        lambda connection: connection.execute(b"COMMIT"),
        url,
    )


@contextmanager
def psycopg_of_dicts_kept(url: str) -> Iterator[Kept]:
    with psycopg_kept(url) as kept:
        kept.places = PsycopgPlaces(lambda: psycopg.connect(url, row_factory=dict_row))
        yield kept


@contextmanager
def sqlite_of_dicts_kept(url: str) -> Iterator[Kept]:
    with closing(sqlite3.connect(url, check_same_thread=False)) as file, sqlite_kept(url) as kept:
        file.row_factory = lambda _, row: {"row": row}
        kept.places = SqlitePlaces(file)
        yield kept


@contextmanager
def sqlalchemy_kept(url: str) -> Iterator[Kept]:
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    places = SqlalchemyPlaces(sessionmaker(engine))
    places.make_table()
    yield Kept(
        places,
        lambda session, text: session.execute(sqlalchemy.text(text)),
        lambda session: session.commit(),
        url,
    )
    engine.dispose()


@contextmanager
def sqlalchemy_on_sqlite_kept(path: str) -> Iterator[Kept]:
    with sqlalchemy_kept(f"sqlite:///{path}") as kept:
        yield Kept(kept.places, kept.run, kept.end, path)


KINDS: dict[str, Callable[[str], AbstractContextManager[Kept]]] = {
    "sqlite3": sqlite_kept,
    "sqlite3, rows of its own": sqlite_of_dicts_kept,
    "psycopg": psycopg_kept,
    "psycopg, rows of its own": psycopg_of_dicts_kept,
    "sqlalchemy": sqlalchemy_kept,
    "sqlalchemy on sqlite": sqlalchemy_on_sqlite_kept,
}


@pytest.fixture(params=KINDS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    if "sqlite" in request.param:
        url = str(tmp_path / "consumer.db")
    else:
        url = request.getfixturevalue("postgres_url")
    with KINDS[request.param](url) as made:
        with made.places.moving("another", BEGINNING, "1") as transaction:
            made.run(transaction, "CREATE TABLE work (position bigint)")
        yield made


def test_work_and_move_are_kept_together(kept: Kept) -> None:
    assert kept.places.load(WEBHOOK) == BEGINNING
    kept.work(lambda _: None)
    assert (kept.places.load(WEBHOOK), kept.rows()) == ("10", 1)
    assert kept.places.load("another") == "1"


def test_work_that_raises_is_undone_and_moves_nothing(kept: Kept) -> None:
    with pytest.raises(ZeroDivisionError):
        kept.work(lambda _: 1 / 0)
    assert (kept.places.load(WEBHOOK), kept.rows()) == (BEGINNING, 0)


def test_a_handler_that_commits_is_told_and_its_place_is_not_moved(kept: Kept) -> None:
    with pytest.raises(FailedPrecondition, match="neither commit nor roll back"):
        kept.work(kept.end)
    assert kept.places.load(WEBHOOK) == BEGINNING
    with kept.places.moving(WEBHOOK, BEGINNING, "10"):
        pass
    assert kept.places.load(WEBHOOK) == "10"


def test_a_handler_that_commits_and_begins_anew_is_told_too(postgres_url: str) -> None:
    with psycopg_kept(postgres_url) as kept:
        with kept.places.moving("another", BEGINNING, "1") as transaction:
            kept.run(transaction, "CREATE TABLE work (position bigint)")
        with pytest.raises(FailedPrecondition):
            kept.work(lambda connection: [connection.execute(it) for it in (b"COMMIT", WORK)])
        assert (kept.places.load(WEBHOOK), kept.rows()) == (BEGINNING, 1)


def test_a_place_that_another_moved_is_not_moved_again(kept: Kept) -> None:
    with kept.places.moving(WEBHOOK, BEGINNING, "10"):
        pass
    with pytest.raises(RevisionConflict), kept.places.moving(WEBHOOK, BEGINNING, "20"):
        pytest.fail("there was work to do")
    assert kept.places.load(WEBHOOK) == "10"


def test_two_followers_at_the_same_time_do_the_work_of_one(kept: Kept) -> None:
    server = LogServer(60)
    failures: list[object] = []

    def apply(page: EventsPage, transaction: Any) -> None:
        for event in page.events:
            kept.run(transaction, f"INSERT INTO work VALUES ({event.position})")

    def follow(places: Any) -> None:
        follower = Follower(
            server.client(), WEBHOOK, places, clock=SystemClock(), on_page=apply, page_size=4
        )
        try:
            follower.run_once()
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    rival: Any = kept.places
    if isinstance(rival, SqlitePlaces):
        rival = SqlitePlaces(kept._url)
    threads = [threading.Thread(target=follow, args=(one,)) for one in (kept.places, rival)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if rival is not kept.places:
        rival.close()
    assert kept.places.load(WEBHOOK) == str(server.kept[-1])
    assert kept.rows() == 60, failures
    assert len(failures) <= 1, "the one may give way to the other for good, and comes back later"


# --- what a driver's connection may be like -----------------------------------------------------


def test_a_connection_with_work_under_way_is_refused_not_committed(
    tmp_path: Path, postgres_url: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "consumer.db")) as file:
        places = SqlitePlaces(file)
        file.execute("CREATE TABLE work (n)")
        file.execute(WORK)
        with pytest.raises(FailedPrecondition), places.moving(WEBHOOK, BEGINNING, "10"):
            pytest.fail("there was work to do")
        with pytest.raises(FailedPrecondition):
            SqlitePlaces(file)
        file.rollback()
        assert file.execute("SELECT count(*) FROM work").fetchone() == (0,)
    with psycopg.connect(postgres_url) as held:
        held.execute("SELECT 1")

        @contextmanager
        def lent() -> Iterator[psycopg.Connection]:
            yield held

        with pytest.raises(FailedPrecondition, match="open transaction"):
            PsycopgPlaces(lent).load(WEBHOOK)


class Driver:
    """An asynchronous driver's store, how it runs a statement, and commits as nobody may."""

    def __init__(
        self, places: Any, execute: Callable[[Any, str], Any], end: Callable[[Any], Any]
    ) -> None:
        self.places = places
        self.execute = execute
        self.end = end


def execute(connection: Any, statement: str) -> Any:
    return connection.execute(statement)


def commit(connection: Any) -> Any:
    return connection.execute("COMMIT")


async def failing_after(work: Awaitable[object]) -> None:
    await work
    raise ZeroDivisionError


@asynccontextmanager
async def asynchronous(kind: str, url: str) -> AsyncIterator[Driver]:
    """Yield a store of a driver's; its table is there."""
    async with AsyncExitStack() as stack:
        if kind == "asyncpg":
            pool = await stack.enter_async_context(asyncpg.create_pool(url, min_size=1, max_size=1))
            driver = Driver(AsyncpgPlaces(pool.acquire), execute, commit)
        elif kind == "psycopg":
            held: Any = await psycopg.AsyncConnection.connect(url)
            stack.push_async_callback(held.close)
            held.row_factory = dict_row
            driver = Driver(AsyncPsycopgPlaces(lambda: nullcontext(held)), execute, commit)
        else:
            engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
            stack.push_async_callback(engine.dispose)
            driver = Driver(
                AsyncSqlalchemyPlaces(async_sessionmaker(engine)),
                lambda session, statement: session.execute(sqlalchemy.text(statement)),
                lambda session: session.commit(),
            )
        await driver.places.make_table()
        yield driver


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["psycopg", "asyncpg", "sqlalchemy"])
async def test_asynchronous_drivers_keep_work_and_move_together_too(
    kind: str, postgres_url: str
) -> None:
    async with asynchronous(kind, postgres_url) as driver:
        places, execute = driver.places, driver.execute
        assert await places.load(WEBHOOK) == BEGINNING
        async with places.moving(WEBHOOK, BEGINNING, "10") as transaction:
            await execute(transaction, "CREATE TABLE work (position bigint)")
            await execute(transaction, WORK)
        with pytest.raises(ZeroDivisionError):
            async with places.moving(WEBHOOK, "10", "20") as transaction:
                await failing_after(execute(transaction, WORK))
        with pytest.raises(RevisionConflict):
            async with places.moving(WEBHOOK, BEGINNING, "20"):
                pytest.fail("there was work to do")
        with pytest.raises(FailedPrecondition, match="neither commit"):
            async with places.moving(WEBHOOK, "10", "20") as transaction:
                await driver.end(transaction)
        assert await places.load(WEBHOOK) == "10"
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM work").fetchone() == (1,)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["psycopg", "asyncpg"])
async def test_a_transaction_that_a_handler_began_itself_moves_no_place(
    kind: str, postgres_url: str
) -> None:
    async with asynchronous(kind, postgres_url) as driver:
        with pytest.raises(FailedPrecondition, match="moved under it"):
            async with driver.places.moving(WEBHOOK, BEGINNING, "10") as transaction:
                await driver.execute(transaction, "COMMIT; BEGIN")
        assert await driver.places.load(WEBHOOK) == BEGINNING


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["psycopg", "asyncpg", "sqlalchemy"])
async def test_a_follower_that_is_cancelled_at_work_has_done_nothing(
    kind: str, postgres_url: str
) -> None:
    at_work = asyncio.Event()

    async def apply(page: EventsPage, transaction: Any) -> None:
        await driver.execute(transaction, WORK)
        at_work.set()
        await asyncio.Event().wait()

    async with asynchronous(kind, postgres_url) as driver:
        async with driver.places.moving("another", BEGINNING, "1") as transaction:
            await driver.execute(transaction, "CREATE TABLE work (position bigint)")
        client = LogServer(2).async_client()
        follower = AsyncFollower(client, WEBHOOK, driver.places, on_page=apply)
        running = asyncio.create_task(follower.run())
        await at_work.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await driver.places.load(WEBHOOK) == BEGINNING
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM work").fetchone() == (0,)
