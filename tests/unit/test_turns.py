"""Turns at the log: one page at a time a key (mechanics P5)."""

from __future__ import annotations

import asyncio

import pytest

from tidings.engine.turns import Turns

pytestmark = pytest.mark.anyio


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_key_reads_one_page_at_a_time_and_no_other_waits_for_it() -> None:
    turns = Turns()
    await turns.take("a")
    second = asyncio.ensure_future(turns.take("a"))
    await settle()
    assert not second.done()
    async with asyncio.timeout(1):
        await turns.take("b")
    turns.give_back("a")
    async with asyncio.timeout(1):
        await second


async def test_turns_come_in_the_order_they_were_asked_for() -> None:
    turns = Turns()
    order: list[int] = []

    async def read(number: int) -> None:
        await turns.take("a")
        order.append(number)
        await asyncio.sleep(0)
        turns.give_back("a")

    await asyncio.gather(*[read(number) for number in range(9)])
    assert order == list(range(9))


async def test_one_who_gives_up_waiting_keeps_nobody_waiting() -> None:
    turns = Turns()
    await turns.take("a")
    gives_up = asyncio.ensure_future(turns.take("a"))
    waits = asyncio.ensure_future(turns.take("a"))
    await settle()
    gives_up.cancel()
    await settle()
    turns.give_back("a")
    async with asyncio.timeout(1):
        await waits


async def test_one_who_gives_up_as_the_turn_comes_passes_it_on() -> None:
    turns = Turns()
    await turns.take("a")
    gives_up = asyncio.ensure_future(turns.take("a"))
    waits = asyncio.ensure_future(turns.take("a"))
    await settle()
    turns.give_back("a")
    gives_up.cancel()
    async with asyncio.timeout(1):
        await waits
    assert gives_up.cancelled()


async def test_keys_at_rest_take_no_memory() -> None:
    turns = Turns()
    for key in range(100):
        await turns.take(str(key))
        turns.give_back(str(key))
    assert turns._waiting == {}
