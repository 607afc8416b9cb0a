"""What a consumer has a follower call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from tidings.client.messages import Event, EventsPage
from tidings.errors import InvalidArgument, TidingsError
from tidings.receiver.follower.steps import Gap, Move

Tx = TypeVar("Tx")

_log = logging.getLogger("tidings.follower")


@dataclass(frozen=True)
class Hooks(Generic[Tx]):
    """A handler, and hooks for what is no event. Raises InvalidArgument unless one is there."""

    on_page: Callable[[EventsPage, Tx], object] | None
    on_event: Callable[[Event, Tx], object] | None
    on_gap: Callable[[Gap, Tx], object] | None
    on_failure: Callable[[Exception, float], object] | None

    def __post_init__(self) -> None:
        if (self.on_page is None) == (self.on_event is None):
            raise InvalidArgument("on_page", "A follower has on_page or on_event: one of the two.")

    def work(self, move: Move, transaction: Tx) -> Iterator[object]:
        """Call what a move calls for, one by one; yield what each returned before the next."""
        if move.gap is not None and self.on_gap is not None:
            yield self.on_gap(move.gap, transaction)
        if move.page is not None and self.on_page is not None:
            yield self.on_page(move.page, transaction)
        if move.event is not None and self.on_event is not None:
            yield self.on_event(move.event, transaction)

    def tell(self, failure: Exception, wait_seconds: float) -> object:
        """Call the hook for failures, or log: an error's own words only where it is one of ours."""
        if self.on_failure is not None:
            return self.on_failure(failure, wait_seconds)
        said = failure.message if isinstance(failure, TidingsError) else type(failure).__name__
        _log.warning("%s Trying again in %.1f s.", said, wait_seconds)
        return None
