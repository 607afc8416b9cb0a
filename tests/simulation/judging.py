"""What is judged of a simulated world once all has healed, as a whole."""

from __future__ import annotations

from typing import Any

from tests.simulation import exact_times, invariants
from tests.simulation.history import History, Subscriber
from tests.simulation.month_clients import Clients
from tests.simulation.month_endpoints import Endpoints
from tests.simulation.month_owners import Owners
from tests.simulation.server import Server
from tidings.domain.instants import to_milliseconds
from tidings.domain.lifecycle import Stage, Step
from tidings.domain.sweep import MoveBatch

DAY_MS = 86_400_000
_LATE_ROUND_MS = 6 * 3_600_000
"""How late a round of retention may come, with the clock astray."""
_OVER_THEIR_TIME = {
    "entries": f"SELECT count(*) FROM change_log WHERE position / 1024 < ? - {15 * DAY_MS}",
    "attempts": f"SELECT count(*) FROM attempt WHERE attempted_at < ? - {7 * DAY_MS}",
    "idempotency keys": f"SELECT count(*) FROM idempotency WHERE kept_at < ? - {DAY_MS}",
}
"""What no table may hold any more (contract 1.5, 3.2)."""


class Judging:
    """Asks the checkers, of one subscriber after the other."""

    def __init__(
        self,
        server: Server,
        history: History,
        endpoints: Endpoints,
        owners: Owners,
        clients: Clients,
    ) -> None:
        self._server = server
        self._history = history
        self._endpoints = endpoints
        self._owners = owners
        self._clients = clients
        self._watch_steps()

    async def judge_one(self, subscriber: Subscriber) -> None:
        """Judge a webhook that lives: was it told, and is everything there."""
        shown = await self._owners.look(subscriber)
        if shown is None:
            return
        history, now = self._history, self._server.clock.monotonic()
        if subscriber.enabled:
            exact_times.given_up_on_time(history, subscriber, now, given_up=shown.given_up)
        if shown.given_up:
            subscriber.wanted_on = False  # until its owner switches it on again
            self._endpoints.mend(subscriber)
        read_to = subscriber.read_to
        walk = await self._clients.walk(subscriber)
        if walk is not None:
            invariants.collection_never_stops(history, subscriber, walk)
            invariants.nothing_lost(history, subscriber, walk)
        invariants.notified(history, subscriber, read_to, visibly_off=shown.off)
        if not shown.off and self._clients.reads_on(subscriber) and not subscriber.dying:
            invariants.read_to_the_end(history, subscriber, read_to)

    def judge_times(self) -> None:
        """Judge when each thing came, in the world's healed time and before."""
        now = self._server.clock.monotonic()
        for uses in self._history.key_uses.values():
            exact_times.penalty_exact(uses)
        for subscriber in self._history.subscribers.values():
            exact_times.paced(subscriber.attempts)
            exact_times.retried_on_time(subscriber)
            exact_times.reminded_on_time(self._history, subscriber, now)
            exact_times.followed_up(subscriber, self._history.trouble, now)
        exact_times.key_paced(self._history.subscribers.values())

    def judge_pages(self) -> None:
        """Judge each page that was read, and forget it; and each ping by its events."""
        for subscriber in self._history.subscribers.values():
            for page in subscriber.pages:
                invariants.in_order(page)
                invariants.no_skip_no_repeat(self._history, subscriber, page)
            subscriber.pages.clear()
            exact_times.told_soon(self._history, subscriber)
            invariants.one_name_one_coverage(subscriber.attempts)

    def judge_bounds(self) -> None:
        """Judge what is held in memory and in rows."""
        server, bounded, count = self._server, invariants.bounded, self._server.threads.count
        webhooks, dispatcher = count("webhook"), server.dispatch.dispatcher
        bounded("sends in flight", server.sender.most_in_flight, invariants.SENDS)
        bounded("subscriptions", len(dispatcher.subscriptions), webhooks)
        bounded("timers", len(dispatcher._schedule), 100 * webhooks)
        bounded("waiting reads", len(server.reads._notes), webhooks)
        for table in ("debt", "dispatch_state", "reading"):
            bounded(f"rows of {table}", count(table), webhooks)
        for name, query in _OVER_THEIR_TIME.items():
            now = to_milliseconds(server.clock.now())
            [(rows,)] = server.threads.rows(query, now - _LATE_ROUND_MS)
            bounded(f"{name} that are over their time", rows, 0)

    def _watch_steps(self) -> None:
        """Hear of each step that time makes a webhook take, and judge its time."""
        store = self._server.storage.lifecycle
        take = store.step

        async def step(step: Step, limit: int) -> MoveBatch:
            batch = await take(step, limit)
            for moved in batch.moved:
                subscriber = self._history.subscribers.get(moved.webhook_id)
                if subscriber is not None:
                    self._stepped(subscriber, moved)
            return batch

        vars(store)["step"] = step

    def _stepped(self, subscriber: Subscriber, moved: Any) -> None:
        now = self._server.clock.monotonic()
        subscriber.stage = moved.entered or Stage.LAST_WARNED
        subscriber.staged_at = now
        subscriber.alive = moved.entered is not None
        self._endpoints.judge(exact_times.step_on_time, self._history, subscriber, moved.left, now)
