"""A follower that is killed again and again: `python -m tests.receiver.follower_lives`.

It is told by lines of orders. Each life is a process of its own, forked from this one that has all
modules loaded; it kills itself with SIGKILL at a moment that its seed draws, and the last one lives
until everything is applied. What the lives came to is a line too: how many were killed in the
middle of a page, and how many between the work and the token.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from typing import Any, NoReturn

import msgspec

from tests.receiver.draws import Draws
from tests.receiver.replicas import Replica

LIFE_SECONDS = 60
EVENTS_BEFORE = 400
"""A life ends before it has applied so many; the smaller, the more lives."""


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What the lives are about."""

    kind: str
    database: str
    url: str
    key: str
    webhook_id: str
    last: int
    page_size: int
    kills: int
    seed: int


class Deaths(msgspec.Struct, kw_only=True):
    """How the lives ended."""

    event: int = 0
    work: int = 0


class Hasty:
    """A clock by which every wait is over at once."""

    def draw(self) -> float:
        """Return the same each time."""
        return 0.0

    def wait_in_thread(self, event: threading.Event, timeout_seconds: float) -> bool:
        """Return at once."""
        return event.is_set()

    async def wait(self, event: asyncio.Event, timeout_seconds: float) -> bool:
        """Return at once."""
        await asyncio.sleep(0)
        return event.is_set()


class Fate:
    """When and where a life ends."""

    def __init__(self, draws: Draws, page_size: int) -> None:
        self.where = draws.one_of(["event", "work"])
        pages = EVENTS_BEFORE // page_size
        self._left = draws.below(EVENTS_BEFORE if self.where == "event" else pages)

    def mishap(self, where: str) -> None:
        """Die here, if it is the time."""
        if where != self.where:
            return
        self._left -= 1
        if self._left < 0:
            os.kill(os.getpid(), signal.SIGKILL)


def live(orders: Orders, mishap: Any) -> NoReturn:
    """Follow, in this process, until it is killed or all is applied."""
    signal.alarm(LIFE_SECONDS)
    Replica(orders.kind, orders.database).follow(
        (orders.url, orders.key),
        orders.webhook_id,
        clock=Hasty(),
        mishap=mishap,
        last=orders.last,
        page_size=orders.page_size,
    )
    os._exit(0)


def main() -> None:
    """Live and die as ordered, until there are no more orders."""
    for line in sys.stdin.buffer:
        deaths = lived(msgspec.json.decode(line, type=Orders))
        sys.stdout.buffer.write(msgspec.json.encode(deaths) + b"\n")
        sys.stdout.buffer.flush()


def lived(orders: Orders) -> Deaths:
    """Live and die as ordered; exit where a life ends in another way."""
    draws, deaths = Draws(orders.seed), Deaths()
    for number in range(orders.kills + 1):
        fate = Fate(draws, orders.page_size)
        child = os.fork()
        if not child:
            live(orders, fate.mishap if number < orders.kills else lambda _: None)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            setattr(deaths, fate.where, getattr(deaths, fate.where) + 1)
        elif os.waitstatus_to_exitcode(status) or number < orders.kills:
            sys.exit(f"life {number} ended with {os.waitstatus_to_exitcode(status)}")
    return deaths


if __name__ == "__main__":
    main()
