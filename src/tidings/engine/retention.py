"""Retention: the log, attempts and idempotency keys are dropped when their time is over.

By time alone, whoever has read them or not: what a page token behind the log's beginning is told
is `events_expired` (contract 1.5).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from tidings import telemetry
from tidings.domain import limits
from tidings.ports import Clock, RetentionStore

_Drop = Callable[[], Awaitable[int]]


class Retention:
    """Drops what is over its time, in rounds. A Chore of the sweeper.

    The sweeper doesn't call it where the clock isn't to be believed, so `now` is believed here.
    """

    name = "retention"

    def __init__(self, store: RetentionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run_once(self, now: datetime) -> float:
        """Drop for a few seconds what is over its time at `now`; return when to go on, in seconds.

        Batches are writes among others, so publishes go in between. Those of all kinds are asked
        for at once: one after another each would wait for the writer's turn by itself.
        """
        store = self._store
        await store.prepare_days()
        await store.raise_floor(now - timedelta(days=limits.LOG_DAYS))
        kept_from = now - timedelta(hours=limits.IDEMPOTENCY_HOURS)
        tried_from = now - timedelta(days=limits.ATTEMPT_DAYS)
        unfinished: dict[str, _Drop] = {
            "entries": store.drop_entries,
            "revisions": store.drop_revisions,
            "attempts": partial(store.drop_attempts, tried_from),
            "idempotency_keys": partial(store.drop_idempotency_keys, kept_from),
        }
        ends_at = self._clock.monotonic() + limits.RETENTION_ROUND_SECONDS
        dropped = dict.fromkeys(unfinished, 0)
        while unfinished and self._clock.monotonic() < ends_at:
            counts = await asyncio.gather(*(drop() for drop in unfinished.values()))
            for kind, count in zip(tuple(unfinished), counts, strict=True):
                dropped[kind] += count
                if not count:
                    del unfinished[kind]
        if any(dropped.values()):
            telemetry.logger().info(telemetry.RETENTION_DROPPED, **dropped, finished=not unfinished)
        return 0.0 if unfinished else limits.SWEEP_SECONDS
