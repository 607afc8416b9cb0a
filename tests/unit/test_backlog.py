"""What waits to be written into webhooks' rows: nothing is forgotten that comes meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.subscribing import subscription
from tidings.domain import limits
from tidings.engine.backlog import IDLE_SECONDS, Backlog
from tidings.engine.subscriptions import Subscription
from tidings.errors import StorageUnavailable

pytestmark = pytest.mark.anyio


class Work:
    """Notes whom it is called for; who is in `hindered` isn't done."""

    def __init__(self) -> None:
        self.called: list[Subscription] = []
        self.hindered: set[Subscription] = set()
        self.waits: dict[Subscription, asyncio.Event] = {}

    async def __call__(self, one: Subscription) -> bool:
        self.called.append(one)
        if one in self.waits:
            await self.waits[one].wait()
        return one not in self.hindered


async def test_what_is_done_is_not_tried_again_and_what_is_not_is() -> None:
    work, (done, hindered) = Work(), (subscription(), subscription())
    backlog = Backlog(work)
    backlog.add(done)
    backlog.add(hindered)
    work.hindered = {hindered}
    assert await backlog.work_off() == limits.FLUSH_SECONDS
    work.hindered.clear()
    assert await backlog.work_off() == IDLE_SECONDS
    assert work.called == [done, hindered, hindered]


async def test_who_is_added_anew_while_another_is_worked_on_waits_on() -> None:
    """Its first turn was over, but not that of all: a second was wiped out with the first."""
    work, (quick, slow) = Work(), (subscription(), subscription())
    backlog = Backlog(work)
    backlog.add(quick)
    backlog.add(slow)
    work.waits[slow] = asyncio.Event()
    working = asyncio.create_task(backlog.work_off())
    while work.called != [quick, slow]:
        await asyncio.sleep(0)
    backlog.add(quick)
    work.waits[slow].set()
    assert await working == limits.FLUSH_SECONDS
    await backlog.work_off()
    assert work.called == [quick, slow, quick]


async def test_a_failure_is_told_and_keeps_back_nobody() -> None:
    work, (one, other) = Work(), (subscription(), subscription())

    async def fail(which: Subscription) -> bool:
        if which is one and one not in work.called:
            work.called.append(one)
            raise StorageUnavailable("locked")
        return await work(which)

    backlog = Backlog(fail)
    backlog.add(one)
    backlog.add(other)
    with pytest.raises(StorageUnavailable):
        await backlog.work_off()
    assert await backlog.work_off() == IDLE_SECONDS
    assert work.called == [one, other, one]
