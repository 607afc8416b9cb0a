"""Turns at the readers: mechanics P5."""

from __future__ import annotations

import asyncio

import pytest

from tidings.engine.turns import Turns

pytestmark = pytest.mark.anyio


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_key_reads_one_page_at_a_time() -> None:
    turns = Turns()
    await turns.take("acme", "key")
    second = asyncio.ensure_future(turns.take("acme", "key"))
    await settle()
    assert not second.done()
    turns.give_back("acme", "key")
    await second


async def test_an_account_takes_a_quarter_of_the_threads_and_no_other_waits_for_it() -> None:
    turns = Turns()
    await turns.take("acme", "a")
    crowd = asyncio.ensure_future(turns.take("acme", "b"))
    await settle()
    assert not crowd.done()
    async with asyncio.timeout(1):
        await turns.take("globex", "c")
    turns.give_back("acme", "a")
    await crowd


async def test_turns_come_in_the_order_they_were_asked_for() -> None:
    turns = Turns()
    order: list[str] = []

    async def read(key: str) -> None:
        await turns.take("acme", key)
        order.append(key)
        await asyncio.sleep(0)
        turns.give_back("acme", key)

    await asyncio.gather(*[read(str(number)) for number in range(9)])
    assert order == [str(number) for number in range(9)]


async def test_one_who_gives_up_waiting_keeps_nobody_waiting() -> None:
    turns = Turns()
    await turns.take("acme", "a")
    gives_up = asyncio.ensure_future(turns.take("acme", "b"))
    waits = asyncio.ensure_future(turns.take("acme", "c"))
    await settle()
    gives_up.cancel()
    await settle()
    turns.give_back("acme", "a")
    async with asyncio.timeout(1):
        await waits


async def test_one_who_gives_up_as_the_turn_comes_passes_it_on() -> None:
    turns = Turns()
    await turns.take("acme", "a")
    gives_up = asyncio.ensure_future(turns.take("acme", "b"))
    waits = asyncio.ensure_future(turns.take("acme", "c"))
    await settle()
    turns.give_back("acme", "a")
    gives_up.cancel()
    async with asyncio.timeout(1):
        await waits
    assert gives_up.cancelled()
