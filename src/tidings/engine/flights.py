"""The attempts that are under way: one a webhook, each a task (mechanics D6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tidings import telemetry
from tidings.domain.webhook import Webhook
from tidings.engine.attempts import AttemptLog
from tidings.engine.pinging import attempt_of, ping_of, request_of
from tidings.engine.slots import Start
from tidings.engine.subscriptions import Flight
from tidings.ports import Clock, Sender, SendOutcome


class Flights:
    """Sends, and tells of how it ended: `on_landed` with the URL that was tried, or called off."""

    def __init__(
        self,
        sender: Sender,
        clock: Clock,
        attempts: AttemptLog,
        *,
        on_landed: Callable[[Start, SendOutcome, str | None], None],
        on_called_off: Callable[[Start], None],
    ) -> None:
        self._sender = sender
        self._clock = clock
        self._attempts = attempts
        self._on_landed = on_landed
        self._on_called_off = on_called_off
        self._tasks: dict[str, asyncio.Task[SendOutcome]] = {}

    def send(self, start: Start, webhook: Webhook, flight: Flight) -> None:
        """Let an attempt start in the background."""
        ping, at = ping_of(webhook, flight), self._clock.now()

        async def attempt() -> SendOutcome:
            return await self._sender.send(request_of(webhook, ping, at))

        task = asyncio.create_task(attempt())
        self._tasks[webhook.webhook_id] = task

        def landed(task: asyncio.Task[SendOutcome]) -> None:
            if self._tasks.get(webhook.webhook_id) is task:
                del self._tasks[webhook.webhook_id]
            if task.cancelled():
                self._on_called_off(start)
                return
            outcome = _outcome(task)
            self._attempts.add(attempt_of(webhook, ping, at, outcome))
            self._on_landed(start, outcome, webhook.notifications.url)

        task.add_done_callback(landed)

    def abort(self, webhook_id: str) -> None:
        """Hang up a webhook's attempt, if one is under way: it is called off."""
        task = self._tasks.get(webhook_id)
        if task is not None:
            task.cancel()

    def abort_all(self) -> None:
        """Hang up all of them."""
        for task in self._tasks.values():
            task.cancel()

    async def drain(self, timeout_seconds: float) -> None:
        """Let what is under way end, and abort what doesn't in time."""
        flights = set(self._tasks.values())
        if not flights:
            return
        _, late = await asyncio.wait(flights, timeout=timeout_seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)


def _outcome(task: asyncio.Task[SendOutcome]) -> SendOutcome:
    """What came of an attempt; a fault of the sender is a failed attempt, and is logged."""
    fault = task.exception()
    if fault is None:
        return task.result()
    telemetry.logger().error(telemetry.WORKER_FAILED, worker="sender", exc_info=fault)
    return SendOutcome(status=None, error="the attempt failed on our side")
