"""What a follower does next, decided without doing it: the same for threads and event loops.

A course is a generator of steps. Whoever plays it does each step and gives back what came of it,
or throws in the error that it met; the course judges that.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

from tidings.client.messages import EventsPage
from tidings.client.webhook_calls import list_events
from tidings.domain import limits
from tidings.errors import (
    EventsExpired,
    RateLimited,
    RevisionConflict,
    ServerFault,
    Unavailable,
)
from tidings.receiver.follower.page import following, position_of
from tidings.receiver.follower.place import BEGINNING
from tidings.receiver.follower.steps import Ask, Gap, Load, Move, Step, Tell, Turn, Wait
from tidings.receiver.follower.wishes import Wishes

_PASSING: Final = (RateLimited, Unavailable, ServerFault)


class Course:
    """One webhook's course. `draw` gives numbers in [0, 1), so that many followers spread."""

    def __init__(self, wishes: Wishes, draw: Callable[[], float]) -> None:
        self.stopped = False
        self.place = BEGINNING
        """Where it knows itself to be: what others did meanwhile is learned at the next turn."""
        self._wishes = wishes
        self._draw = draw
        self._failures = 0
        self._skipping: tuple[str, str] | None = None
        """Behind which place there was a gap, and how far the events after it were skipped."""
        self._passes = False
        """Whether what was thrown in is worth another try."""

    def turns(self) -> Generator[Step, Any, None]:
        """Take turn after turn, until stopped. Raises what no other try would mend."""
        while not self.stopped:
            try:
                yield from self.turn()
            except Exception as failure:
                if not self._passes:
                    raise
                self._failures += 1
                wait = self._wait_after(failure)
                yield Tell(failure, wait)
                yield Wait(wait, wakeable=False)
            else:
                self._failures = 0
                yield Wait(self._rest(), wakeable=True)

    def turn(self) -> Generator[Step, Any, Turn]:
        """Hand over all that there is to read now. Raises what the steps met."""
        self._passes = True
        self.place = yield Load()
        pages = events = rivals = 0
        while not self.stopped:
            start = self.place
            page = yield from self._page_after(start)
            try:
                events += yield from self._hand_over(page, self._gap(start, page))
            except RevisionConflict:
                # Another follower of this webhook: go on from where that one is.
                rivals += 1
                if rivals > limits.FOLLOWER_RIVALRIES:
                    raise
                self.place = yield Load()
                continue
            pages += 1
            self._failures = 0
            if not page.has_more or self.place == start:
                break
        return Turn(pages=pages, events=events)

    def _page_after(self, place: str) -> Generator[Step, Any, EventsPage]:
        """Return the page behind a place; behind a gap, the one to go on with."""
        page = yield from self._listed(place, self._wishes.wait_seconds)
        if not page.events_expired:
            return page
        if not self._wishes.heeds_gaps:
            self._passes = False
            raise EventsExpired(
                "Events were dropped before they were read: without a hook for that (on_gap) "
                "nothing is handed over."
            )
        if self._wishes.resume == "newest":
            return (yield from self._skipped(place, page))
        return page

    def _skipped(self, place: str, page: EventsPage) -> Generator[Step, Any, EventsPage]:
        """Skip from a page to the log's end; a failure on the way doesn't begin the way anew."""
        if self._skipping is None or self._skipping[0] != place:
            self._skipping = (place, page.next_page_token)
        more = page.has_more
        while more and not self.stopped:
            _, token = self._skipping
            page = yield from self._listed(token, 0)
            self._skipping, self._failures = (place, page.next_page_token), 0
            more = page.has_more and page.next_page_token != token
        if self.stopped:
            return EventsPage(next_page_token=place)
        return EventsPage(next_page_token=self._skipping[1], events_expired=True)

    def _listed(self, token: str, wait_seconds: int) -> Generator[Step, Any, EventsPage]:
        self._passes = False
        request = list_events(
            self._wishes.webhook_id,
            page_token=token or None,
            page_size=self._wishes.page_size,
            wait_seconds=wait_seconds or None,
        )
        try:
            page: EventsPage = yield Ask(request)
            following(page, token, self._wishes.webhook_id)
        except _PASSING:
            self._passes = True
            raise
        self._passes = True
        return page

    def _hand_over(self, page: EventsPage, gap: Gap | None) -> Generator[Step, Any, int]:
        """Have the work done and the place moved, at once or event by event; return how many."""
        events = page.events if self._wishes.singly else ()
        for number, event in enumerate(events[:-1], start=1):
            # A token names the last position that was read (contract 1.5), so an event's own
            # position is one, also in the middle of a page.
            after = str(position_of(event))
            yield Move(self.place, after, event=event, gap=gap)
            self.place, gap = after, None
            if self.stopped:
                return number
        end = page.next_page_token
        if events:
            yield Move(self.place, end, event=events[-1], gap=gap)
        elif page.events or gap is not None or end != self.place:
            yield Move(self.place, end, page=page if page.events else None, gap=gap)
        self.place = end
        return len(page.events)

    def _gap(self, place: str, page: EventsPage) -> Gap | None:
        """Return the gap before a page, if there is one that wasn't told."""
        if not page.events_expired:
            return None
        return Gap(
            webhook_id=self._wishes.webhook_id,
            token=place,
            next_page_token=page.next_page_token,
        )

    def _rest(self) -> float:
        if self._wishes.wait_seconds:
            return limits.FOLLOWER_REST_SECONDS
        return self._wishes.every_seconds * (1 - limits.FOLLOWER_JITTER * self._draw())

    def _wait_after(self, failure: Exception) -> float:
        """Return the longer of what the server told and a doubled wait of our own."""
        told: float = getattr(failure, "retry_after_seconds", 0.0)
        doubled = limits.FOLLOWER_RETRY_SECONDS * 2.0 ** min(self._failures - 1, 62)
        own = min(doubled, limits.FOLLOWER_RETRY_SECONDS_MAX)
        return max(told, own) * (1 + limits.FOLLOWER_JITTER * self._draw())
