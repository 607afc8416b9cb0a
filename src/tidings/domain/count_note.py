"""What API processes tell each other of the requests that they counted (contract 1.8, 2.7, 3.2).

Times in a note are the database's, in milliseconds: the one clock that all of them can ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec


class Counted(msgspec.Struct, frozen=True, array_like=True):
    """What one process counted of one key at one service since it last told.

    Other versions read it too: fields may be added at the end, and none may change or go.
    """

    key_id: str
    admitted_at: tuple[int, ...]
    """When requests were admitted, ascending."""
    penalty_until: int | None = None
    """Until when all are refused, where a penalty began."""

    def moved(self, by_ms: int) -> Counted:
        """Return the same by a clock that is so far ahead."""
        until = None if self.penalty_until is None else self.penalty_until + by_ms
        return Counted(self.key_id, tuple(at + by_ms for at in self.admitted_at), until)


class CountNote(msgspec.Struct, frozen=True):
    """What one process tells the others in one go."""

    teller: str
    """Names one life of one process."""
    number: int
    """From 1 on, ascending for its teller: by it a listener knows again what it has heard."""
    counted: Mapping[str, Sequence[Counted]]
    """By the service's name. One that a process doesn't count at is nothing to it."""


class HeardCounts(msgspec.Struct, frozen=True):
    """What others told, and when it was asked for."""

    now_ms: int
    """The database's clock while it was asked."""
    notes: Sequence[CountNote]
    """In the order in which they were told."""
