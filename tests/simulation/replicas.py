"""What consumers are promised who follow or receive by our own half, judged by their own tables.

The numbers are the invariants'; each checker raises Violation where one is broken.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec

from tests.simulation.history import Change
from tests.simulation.invariants import must
from tidings.domain import limits

_KEPT = timedelta(days=limits.LOG_DAYS) - timedelta(hours=1)
"""Less an hour, by which a clock may have been astray."""


class Taken(msgspec.Struct, frozen=True):
    """An event as a consumer has it, or a gap: events that were dropped before it read them."""

    position: int
    """Of the event; of a gap, the place behind which the lost ones stood."""
    at: datetime
    gap_to: int | None = None
    """Up to where events may be lost."""
    to_newest: bool = False
    """Whether the consumer goes on from the newest event after a gap, not from the oldest."""


class Handled(msgspec.Struct, frozen=True):
    """What a consumer's table holds of one call of a handler that succeeded."""

    row: int
    cell: int
    """0 for the row's own event."""
    event_id: str


def exact_replica(
    events: Sequence[Change], taken: Sequence[Taken], place: int, *, whole: bool
) -> None:
    """1, 2, 3: a follower's replica is the log: in order, each once, and nothing lost untold.

    `place` is how far it knows itself to be; `whole`: it has had the time to come to the end.
    """
    mine = [one.position for one in taken if one.gap_to is None]
    must(len(mine) == len(set(mine)), "2: a follower handed an event over twice")
    must(mine == sorted(mine), "3: a follower handed events over out of order")
    strange = set(mine).difference(change.position for change in events)
    must(not strange, f"2: a follower handed over what isn't its webhook's: {sorted(strange)[:3]}")
    had = set(mine)
    for change in events:
        if change.position not in had and (whole or change.position <= place):
            must(_is_told_lost(change, taken), f"1: a follower was never given {change.position}")


def _is_told_lost(change: Change, taken: Sequence[Taken]) -> bool:
    """Whether retention took it, and a gap says so; who read for the first time has no gap."""
    first = taken[0] if taken else None
    if first is not None and first.gap_to is None and change.position < first.position:
        return change.answered_at < first.at - _KEPT
    return any(
        gap.position < change.position <= gap.gap_to
        and (gap.to_newest or change.answered_at < gap.at - _KEPT)
        for gap in taken
        if gap.gap_to is not None
    )


def handled_once(handled: Sequence[Handled], unordered: Collection[str]) -> None:
    """2, 3: a receiver's handlers are called once for each event, of one row in their order.

    But for the `unordered`, which were dead letters.
    """
    had = {(one.row, one.cell) for one in handled}
    must(len(handled) == len(had), "2: a receiver handled an event twice")
    cells: dict[int, int] = {}
    for one in handled:
        if one.event_id not in unordered:
            must(cells.get(one.row, -1) < one.cell, f"3: row {one.row} was handled out of order")
            cells[one.row] = one.cell
