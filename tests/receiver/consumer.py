"""A consumer as a process of its own, to be killed.

`python -m tests.receiver.consumer ROLE DB HOURS`; its clock runs HOURS ahead, so that the claim of
one before it has ended.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.receiver.senders import SHARED, callback_body, row_event, signed
from tidings.clock import SystemClock
from tidings.receiver import ReceivedEvent, Receiver

EVENTS = 12
"""Of each callback."""


class Ahead(SystemClock):
    """A clock that runs some hours ahead."""

    def __init__(self, hours: float) -> None:
        self._ahead = timedelta(hours=hours)

    def now(self) -> datetime:
        return super().now() + self._ahead


def tell(line: str) -> None:
    """Say a line to whoever watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def body_of(number: int, at: datetime) -> bytes:
    events = [row_event(number * EVENTS + place) for place in range(EVENTS)]
    timestamp = f"{at:%Y-%m-%dT%H:%M:%S}.000+0000"
    return callback_body(f"n{number}", *events, timestamp=timestamp)


async def take(receiver: Receiver, clock: SystemClock) -> None:
    """Take callbacks until killed; say each that was answered with 200."""
    for number in range(1_000_000):
        answer = await receiver.receive(signed(body_of(number, clock.now())))
        if answer.status == 200:
            tell(str(number))


async def handle(receiver: Receiver, path: Path) -> None:
    """Handle what there is, each event plainly and in the transaction; say each before."""

    @receiver.on("row", "created")
    def exactly_once(event: ReceivedEvent, db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO effect VALUES (?)", (event.id,))
        tell(str(event.id))

    @receiver.on("row", "deleted")
    def at_least_once(event: ReceivedEvent) -> None:
        with path.with_suffix(".log").open("a") as log:
            log.write(f"{event.id}\n")
        tell(str(event.id))

    while await receiver.run_once() == 0:
        pass
    tell("done")


async def main() -> None:
    """Play the role that is named."""
    role, path, hours = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    clock = Ahead(hours)
    options: dict[str, Any] = {"inbox": f"sqlite:///{path}", "clock": clock, "work": False}
    async with Receiver(secrets=SHARED, **options) as receiver:
        await (take(receiver, clock) if role == "take" else handle(receiver, path))


if __name__ == "__main__":
    asyncio.run(main())
