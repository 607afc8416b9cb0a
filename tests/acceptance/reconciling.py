"""What was published, beside what is listed and what endpoints were told: after any faults."""

from __future__ import annotations

import asyncio
import threading

import msgspec

from tests.acceptance.processes import changes_body
from tidings.client import Client
from tidings.clock import SystemClock
from tidings.testing.endpoint import ScriptedEndpoint

CLOCK = SystemClock()


class Platform:
    """Publishes numbered records into one solution, one after the other, until it is told to end.

    What isn't answered is asked for again under its key, by the client.
    """

    def __init__(self, solution: str, client: Client) -> None:
        self.answered: list[tuple[int, str]] = []
        """Position and record of each change, as answered."""
        self.ending = threading.Event()
        self._solution = solution
        self._client = client

    def run(self) -> None:
        while not self.ending.is_set():
            number = len(self.answered)
            receipt = self._client.publish(
                changes_body(self._solution, number), idempotency_key=f"n{number}"
            )
            assert receipt.last_position is not None
            self.answered.append((receipt.last_position, str(number)))


def walk(client: Client, webhook_id: str) -> list[tuple[int, str]]:
    """Return the position and record of each event, in the order of the pages."""
    found: list[tuple[int, str]] = []
    token: str | None = None
    while True:
        page = client.list_events(webhook_id, page_token=token, page_size=1000)
        if not page.events:
            return found
        for event in page.events:
            assert event.record_event_data is not None
            position = int(event.event_id.rpartition(".")[2])
            found.append((position, event.record_event_data.record_id))
        token = page.next_page_token


async def eventually(condition: object, seconds: float) -> bool:
    """Whether a condition comes to hold, in bounded time."""
    assert callable(condition)
    ends_at = CLOCK.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        if CLOCK.monotonic() > ends_at:
            return False
        await CLOCK.sleep(0.05)
    return True


def told_up_to(endpoint: ScriptedEndpoint) -> dict[str, int]:
    """Return the last position that each webhook was told of."""
    told: dict[str, int] = {}
    for request in endpoint.requests:
        body = msgspec.json.decode(request.body)
        webhook_id = body["webhookId"]
        told[webhook_id] = max(told.get(webhook_id, 0), body["transactionNumber"])
    return told
