"""A receiver on each kind of inbox, in virtual time, worked off round by round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.receiver.senders import SHARED, WHSEC
from tidings.receiver import ReceivedEvent, Receiver
from tidings.testing.clock import ManualClock

SECRETS = (SHARED, WHSEC)
ROUNDS = 200


def receiver_at(inbox: str, clock: ManualClock, **options: Any) -> Receiver:
    """Return a receiver that works only when it is told to."""
    given: Mapping[str, Any] = {"secrets": SECRETS, "work": False, **options}
    return Receiver(inbox=inbox, clock=clock, **given)


async def work_off(receiver: Receiver) -> float:
    """Work until nothing is due; return the seconds until something is."""
    for _ in range(ROUNDS):
        pause = await receiver.run_once()
        if pause > 0:
            return pause
    raise AssertionError("there is always more to do")


async def work_until(receiver: Receiver, clock: ManualClock, seconds: float) -> None:
    """Work through so many seconds of virtual time."""
    ends_at = clock.monotonic() + seconds
    while True:
        pause = await work_off(receiver)
        if clock.monotonic() + pause > ends_at:
            return
        await clock.advance(pause)


def name_of(event: ReceivedEvent) -> str:
    """Return what a test calls an event."""
    place = event.id if event.id is not None else f"{event.row_id}/{event.column_id}"
    return f"{event.object_type} {event.event_type} {place}"
