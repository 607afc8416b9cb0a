"""Faults in the receiving half, of the kinds that it is there to prevent: each to be planted."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tidings.errors import StorageUnavailable
from tidings.receiver import decision
from tidings.receiver.follower import AsyncSqlitePlaces
from tidings.receiver.follower.course import Course
from tidings.receiver.reading import Contents
from tidings.receiver.sitting import Sitting
from tidings.receiver.sqlite_desk import Desk

Plant = pytest.MonkeyPatch


# --- followers ------------------------------------------------------------------------------------


@asynccontextmanager
async def _alone(connection: sqlite3.Connection) -> AsyncIterator[sqlite3.Connection]:
    """A transaction for the work and nothing else."""
    connection.execute("BEGIN")
    try:
        yield connection
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.rollback()


def place_moved_before_the_work(plant: Plant) -> None:
    """A follower that is killed in its work, and whose place is behind it already."""

    @asynccontextmanager
    async def moving(self: AsyncSqlitePlaces, *places: str) -> AsyncIterator[sqlite3.Connection]:
        with self._places.moving(*places) as connection:
            pass
        async with _alone(connection):
            yield connection

    plant.setattr(AsyncSqlitePlaces, "moving", moving)


def place_moved_after_the_work(plant: Plant) -> None:
    """Work that is done, and a place whose own transaction fails each second time."""
    count = iter(range(10**9))

    @asynccontextmanager
    async def moving(self: AsyncSqlitePlaces, *places: str) -> AsyncIterator[sqlite3.Connection]:
        async with _alone(self._places._connection) as connection:
            yield connection
        if next(count) % 2:
            raise StorageUnavailable("struck")
        with self._places.moving(*places):
            pass

    plant.setattr(AsyncSqlitePlaces, "moving", moving)


def gaps_untold(plant: Plant) -> None:
    """A follower that goes on behind what retention took as if nothing were missing."""
    plant.setattr(Course, "_gap", lambda self, place, page: None)


# --- receivers ------------------------------------------------------------------------------------


def answered_before_it_is_kept(plant: Plant) -> None:
    """200 for what the inbox hasn't taken yet, and may never take."""
    keep = Sitting.keep
    hopes: set[asyncio.Future[bool]] = set()

    async def hope(self: Sitting, notification: Any) -> bool:
        hopes.add(hoped := asyncio.ensure_future(keep(self, notification)))
        hoped.add_done_callback(lambda ended: ended.exception())
        return True

    plant.setattr(Sitting, "keep", hope)


def repetitions_unknown(plant: Plant) -> None:
    """Nonces that nobody remembers."""
    plant.setattr(decision, "_identity", lambda *given, **named: None)


def handled_and_not_settled(plant: Plant) -> None:
    """What a handler did is committed, and its settling, elsewhere, is lost once."""
    keep_one = Desk.keep_one
    lost = iter([lambda db: None])

    def apart(self: Desk, settle: Callable[[sqlite3.Connection], None]) -> None:
        keep_one(self, next(lost, settle))

    plant.setattr(Desk, "keep_one", apart)


def no_order_of_a_row(plant: Plant) -> None:
    """Each event for itself: the next goes ahead of one that is to be tried again."""
    plant.setattr(Contents, "_key_of", lambda self, place, kind: str(place).encode())
