"""The demo's publisher: bursts of revisions, and a server that dies under one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import httpx
import msgspec

from tidings.client import Client
from tidings.clock import SystemClock
from tidings.demo.source import Revision, idempotency_key, publish_body

BURST = 13
"""Revisions published one after another; then a pause, so that pings also come after quiet."""
BURST_SECONDS = 2.2
"""From the start of one burst to the next: the last ping of a burst comes a second after the first,
and then there is quiet for a second, so that both kinds of latency are seen."""
KILL_WITHIN_SECONDS = 0.004
"""The server dies at a moment up to this long after it was sent the changes: it works on a large
batch for longer, and what it has done by then is different each time."""
SERVER_DIES_AFTER = 0.7
"""The share of the history before it: by then pings go again after the receiver's kill."""


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """One revision's publish, from the sending to the answer, in monotonic seconds."""

    number: int
    changes: int
    accepted: int
    suppressed: int
    last_position: int | None
    sent_at: float
    answered_at: float


def bursts(revisions: Sequence[Revision]) -> Iterator[tuple[Revision, ...]]:
    """Cut a history into bursts."""
    for start in range(0, len(revisions), BURST):
        yield tuple(revisions[start : start + BURST])


def doomed_revision(revisions: Sequence[Revision]) -> Revision:
    """Return the revision under which the server dies: a large one, late in the history."""
    late = revisions[int(len(revisions) * SERVER_DIES_AFTER) :]
    return max(late, key=lambda revision: len(revision.changes))


def publish_revision(client: Client, revision: Revision, clock: SystemClock) -> Published:
    """Publish a revision under its own Idempotency-Key, until it is answered."""
    sent_at = clock.monotonic()
    receipt = client.publish(publish_body(revision), idempotency_key=idempotency_key(revision))
    return Published(
        number=revision.number,
        changes=len(revision.changes),
        accepted=receipt.accepted,
        suppressed=receipt.suppressed,
        last_position=receipt.last_position,
        sent_at=sent_at,
        answered_at=clock.monotonic(),
    )


class FatalTransport(httpx.BaseTransport):
    """HTTP that, once armed, has the server killed while a request of ours is in flight.

    The blow falls when the whole request was sent and its answer not read. If the answer was
    quicker, it stays armed for the next one.
    """

    def __init__(self, kill: Callable[[], None], clock: SystemClock) -> None:
        self.armed = False
        self._kill = kill
        self._struck = False
        self._clock = clock
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; see the class."""
        if not self.armed:
            return self._inner.handle_request(request)
        self._struck = False
        request.extensions = {**request.extensions, "trace": self._trace}
        try:
            return self._inner.handle_request(request)
        except httpx.TransportError:
            self.armed = not self._struck
            raise

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _trace(self, name: str, _: object) -> None:
        if name == "http11.send_request_body.complete":
            self._clock.pause(self._clock.draw() * KILL_WITHIN_SECONDS)
            self._kill()
            self._struck = True
