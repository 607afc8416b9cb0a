"""The pool of connections: who is given one, when, and what becomes of it."""

from __future__ import annotations

import asyncio

import pytest

from tidings.errors import StorageClosed, StorageUnavailable
from tidings.storage.postgres.pool import Pool

pytestmark = pytest.mark.anyio


class Line:
    """A connection without a database."""

    def __init__(self) -> None:
        self.closed = False

    def is_closed(self) -> bool:
        return self.closed

    async def close(self) -> None:
        self.closed = True


class Lines:
    """What opens them."""

    def __init__(self) -> None:
        self.opened: list[Line] = []
        self.refuses = False

    async def open(self) -> Line:
        if self.refuses:
            raise ConnectionRefusedError
        self.opened.append(Line())
        return self.opened[-1]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def pool(lines: Lines) -> Pool[Line]:
    return Pool(2, lines.open)


async def test_the_last_one_given_back_is_lent_first_and_none_is_opened_in_advance(
    pool: Pool[Line], lines: Lines
) -> None:
    first, second = await pool.take(), await pool.take()
    pool.give_back(first)
    pool.give_back(second)
    assert await pool.take() is second
    assert len(lines.opened) == 2


async def test_one_that_was_closed_meanwhile_is_replaced(pool: Pool[Line], lines: Lines) -> None:
    lost, idle = await pool.take(), await pool.take()
    pool.give_back(idle)
    idle.closed = lost.closed = True
    pool.give_back(lost)
    assert [(await pool.take()).closed for _ in range(2)] == [False, False]
    assert len(lines.opened) == 4


async def test_who_waits_is_served_in_turn(pool: Pool[Line]) -> None:
    lent = [await pool.take(), await pool.take()]
    waiting = [asyncio.ensure_future(pool.take()) for _ in range(3)]
    await asyncio.sleep(0)
    for given_back in lent:
        pool.give_back(given_back)
    assert [await waiting[0], await waiting[1]] == [lent[1], lent[0]]
    assert not waiting[2].done()
    waiting[2].cancel()


async def test_a_place_whose_taker_gave_up_as_it_came_goes_to_the_next(pool: Pool[Line]) -> None:
    lent = [await pool.take(), await pool.take()]
    waiting = [asyncio.ensure_future(pool.take()) for _ in range(2)]
    await asyncio.sleep(0)
    pool.give_back(lent[0])
    waiting[0].cancel()
    assert await waiting[1] is lent[0]


async def test_who_waits_too_long_is_told_so(
    pool: Pool[Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.domain.limits.DATABASE_ACQUIRE_SECONDS", 0.001)
    lent = [await pool.take(), await pool.take()]
    with pytest.raises(StorageUnavailable, match="became free"):
        await pool.take()
    pool.give_back(lent[0])
    assert await pool.take() is lent[0]


async def test_a_connection_that_cannot_be_made_takes_no_place(
    pool: Pool[Line], lines: Lines
) -> None:
    lines.refuses = True
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await pool.take()
    lines.refuses = False
    assert len({await pool.take(), await pool.take()}) == 2


async def test_closing_waits_for_what_is_lent_and_serves_nobody_more(
    pool: Pool[Line], lines: Lines
) -> None:
    lent = [await pool.take(), await pool.take()]
    waiting = asyncio.ensure_future(pool.take())
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(pool.close())
    await asyncio.sleep(0)
    pool.give_back(lent[0])
    with pytest.raises(StorageClosed):
        await waiting
    assert not closing.done()
    pool.give_back(lent[1])
    await closing
    assert [line.closed for line in lines.opened] == [True, True]
    with pytest.raises(StorageClosed):
        await pool.take()
