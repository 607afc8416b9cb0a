"""When a request is sent again, and when it is given up. Pure: it only says what to do.

Both clients play the same conversation: the one in a thread, the other in an event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

import msgspec

from tidings.client.failures import error_of, rest_after
from tidings.client.request import Answer, Lost, Request
from tidings.errors import RateLimited, Unavailable

T = TypeVar("T")


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long to go on trying when the server is away, or says to wait."""

    total_seconds: float = 120.0
    """All tries and waits of one request together: no try begins after it. Of a stream, which may
    take any time, the waits alone."""
    first_seconds: float = 0.1
    longest_seconds: float = 5.0

    def wait_before(self, attempt: int, told_seconds: float) -> float:
        """Return the wait before the `attempt`-th repeat (1, 2, …): doubled, or as told."""
        own = min(self.first_seconds * 2.0 ** min(attempt - 1, 62), self.longest_seconds)
        return max(own, told_seconds)


NO_PATIENCE = Patience(total_seconds=0.0)
"""For who waits himself."""


@dataclass(frozen=True)
class Send:
    """Send the request, and tell what came of it: an Answer, or that it was Lost."""


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


Conversation = Generator[Send | Pause, Answer | Lost | None, T]


class Rests:
    """How long this key has to rest before its next request, by the last answer of each service."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._ends_at: dict[str, float] = {}

    def note(self, service: str, answer: Answer) -> None:
        """Remember what an answer says: of the limits of its own service alone."""
        if answer.status != HTTPStatus.TOO_MANY_REQUESTS:
            self._ends_at[service] = self._monotonic() + rest_after(answer.headers)

    def take(self, service: str) -> float:
        """Return the seconds that are left to rest; they are said once."""
        ends_at = self._ends_at.pop(service, None)
        return 0.0 if ends_at is None else max(0.0, ends_at - self._monotonic())


def conversation(request: Request[T], patience: Patience, rests: Rests) -> Conversation[T]:
    """Go on until there is an answer other than "wait", or patience ends; return what it says.

    What was sent may have been done although its answer was lost, so only a `repeatable` request
    is sent again after that. Raises the errors of `failures.error_of` for a status that isn't
    accepted, Unavailable where no answer came.

    Where the last answer said that this key has no more requests for now, it waits first as long
    as that said: going past a rate limit costs more than waiting (contract 1.8).
    """
    if rest := rests.take(request.service):
        yield Pause(rest)
    attempt, spent = 0, 0.0
    while True:
        outcome = yield Send()
        assert outcome is not None
        if isinstance(outcome, Answer):
            rests.note(request.service, outcome)
            if outcome.status in request.accepted:
                return request.read(outcome)
        failure, again = _failure_of(outcome, request)
        if not again:
            raise failure
        attempt += 1
        spent += outcome.seconds if isinstance(request.body, bytes) else 0.0
        told = getattr(failure, "retry_after_seconds", 0.0)
        wait = patience.wait_before(attempt, told)
        if spent + wait > patience.total_seconds:
            raise failure
        yield Pause(wait)
        spent += wait


def _failure_of(outcome: Answer | Lost, request: Request[T]) -> tuple[Exception, bool]:
    """Return the error that an outcome is, and whether the request may be sent again."""
    if isinstance(outcome, Lost):
        lost = Unavailable(outcome.message, retry_after_seconds=0.0)
        return lost, request.repeatable or not outcome.sent
    failure = error_of(outcome.status, outcome.headers, outcome.body)
    if isinstance(failure, RateLimited):
        return failure, True
    return failure, isinstance(failure, Unavailable) and request.repeatable
