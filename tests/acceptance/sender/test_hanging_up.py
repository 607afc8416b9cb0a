"""Cancelling and closing hang up, and nothing stays open."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from pathlib import Path

import pytest

from tests.acceptance.sender.sending import (
    DEV,
    SilentResolver,
    send,
)
from tidings.clock import SystemClock
from tidings.sender import CurlSender
from tidings.testing.endpoint import Answer, ScriptedEndpoint

pytestmark = pytest.mark.anyio


async def test_cancelling_a_send_hangs_up_and_harms_no_other(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    never, later = asyncio.Event(), asyncio.Event()
    endpoint.script(Answer(after=never))
    cancelled = asyncio.create_task(send(sender, endpoint.url()))
    await endpoint.received(1)
    endpoint.script(Answer(after=later))
    other = asyncio.create_task(send(sender, endpoint.url()))
    await endpoint.received(2)

    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    async with asyncio.timeout(5):
        while endpoint.open > 1:
            await asyncio.sleep(0.005)

    later.set()
    assert (await other).status == 200
    assert (await send(sender, endpoint.url())).status == 200


async def test_closing_hangs_up_what_is_under_way_and_twice_is_fine(
    endpoint: ScriptedEndpoint,
) -> None:
    sender = CurlSender(DEV, SystemClock(), resolver=SilentResolver())
    endpoint.script(Answer(after=asyncio.Event()))
    waiting = asyncio.create_task(send(sender, endpoint.url()))
    looking = asyncio.create_task(send(sender, "https://tarpit.example.com/"))
    await endpoint.received(1)
    await sender.close()
    await sender.close()
    for outcome in await asyncio.gather(waiting, looking):
        assert outcome.status is None
        assert outcome.error is not None
        assert "stopped" in outcome.error
        assert not outcome.unreachable
    await endpoint.hung_up()
    assert (await send(sender, endpoint.url())).error is not None
    assert endpoint.connections == 1


async def test_three_hundred_sends_leave_no_descriptor_behind(endpoint: ScriptedEndpoint) -> None:
    async def round_of(count: int) -> None:
        sender = CurlSender(DEV, SystemClock())
        for number in range(count):
            if number % 3 == 0:
                endpoint.script(Answer(raw=b"HTTP/1.1 500 No\r\n\r\n"))
            elif number % 10 == 1:
                endpoint.script(Answer(close_after=0))
            host = "localhost" if number % 2 else "127.0.0.1"
            await send(sender, endpoint.url(host=host))
        await sender.close()
        await endpoint.hung_up()
        gc.collect()

    await round_of(5)
    before = await _settled_descriptors()
    await round_of(300)
    assert await _settled_descriptors() == before


async def _settled_descriptors() -> dict[str, str]:
    """Return what is open, once it no longer changes: c-ares is closed by a thread of its own."""
    found: dict[str, str] = {}
    for _ in range(100):
        seen = {}
        for descriptor in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # The listing's own is closed again.
                seen[descriptor.name] = str(descriptor.readlink())
        if seen == found:
            break
        found = seen
        await asyncio.sleep(0.1)
    return found
