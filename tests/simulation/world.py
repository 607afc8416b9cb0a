"""A small world: storage, dispatch and listing in one process and virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

import msgspec

from tests.simulation.endpoints import ScriptedSender
from tidings.domain import signing
from tidings.domain.buckets import bucket_of, new_webhook_id
from tidings.domain.filter import EVERY_FIELD, Filter, SolutionFilter, field_mask
from tidings.domain.kinds import Kind
from tidings.domain.log_entry import Append, NewEntry, Receipt
from tidings.domain.webhook import Notifications, Stamp, Webhook
from tidings.engine.dispatch import Dispatch
from tidings.engine.reads import Reads
from tidings.engine.retention import Retention
from tidings.engine.sweeper import Chore, Sweeper
from tidings.engine.worker import PAUSE_AFTER_FAILURE_SECONDS, Worker
from tidings.errors import StorageUnavailable
from tidings.ports import Storage
from tidings.storage.migrate import migrate
from tidings.storage.open import open_storage
from tidings.testing.clock import ManualClock

AWAKE_SECONDS = 2.0
"""Before and after a ping that is due, for which `pass_time` keeps the workers awake."""
LANDING_TURNS = 25
"""Turns of the event loop after which every scripted answer has been settled."""

RECORD_KINDS = (Kind.RECORD_CREATED, Kind.RECORD_UPDATED, Kind.RECORD_DELETED)


class World:
    """What a test holds: a database file, a clock, endpoints, and the dispatch that runs on them.

    Workers are driven by hand, in the order in which they are due, so that nothing is awaited by
    the real clock but the database itself.
    """

    def __init__(self, path: Path, storage: Storage, clock: ManualClock) -> None:
        self.path = path
        self.storage = storage
        self.clock = clock
        self.sender = self._new_sender()
        self.patient = False
        """Whether a round that fails is tried again, as by `run_worker`, and not raised."""
        self.dispatch: Dispatch
        self.reads: Reads
        self.sweeper: Sweeper
        self._due: dict[Worker, float] = {}
        self._published = 0
        self._starts = 0

    @classmethod
    async def open(cls, path: Path, *, seed: int = 0, clock: ManualClock | None = None) -> Self:
        """Open a world with a running dispatch on a fresh file."""
        clock, url = clock or ManualClock(seed=seed), f"sqlite:///{path}"
        await migrate(url)
        world = cls(path, await open_storage(url, clock, serve=True), clock)
        await world.start()
        return world

    @property
    def life(self) -> int:
        """Return which dispatch it is that runs: 1 for the first."""
        return self._starts

    @property
    def running(self) -> bool:
        """Whether a dispatch runs."""
        return bool(self._due)

    async def start(self) -> None:
        """Start a dispatch on what the database holds."""
        self._starts += 1
        self.reads = Reads(self.storage.dispatch)
        self.dispatch = Dispatch(
            self.storage, self.sender, self.clock, f"holder-{self._starts}", reads=self.reads
        )
        self.sweeper = Sweeper(self.storage.lifecycle, self.clock, self._chores())
        await self.sweeper.run_once()
        await self.dispatch.start()
        now = self.clock.monotonic()
        self._due = dict.fromkeys((*self.dispatch.workers, self.reads, self.sweeper), now)

    def _new_sender(self) -> ScriptedSender:
        """Return what the engine sends by."""
        return ScriptedSender(self.clock.monotonic)

    def _chores(self) -> Sequence[Chore]:
        """Return what the sweeper does beside its sweeps; a larger world has it done seldom."""
        return (Retention(self.storage.retention, self.clock),)

    async def crash(self) -> None:
        """Lose all that is in memory, at once; nothing is flushed or released."""
        self._due = {}
        await self.dispatch.dispatcher.drain(0)
        self.dispatch.unwatch()

    async def close(self) -> None:
        """End the world in order."""
        if self._due:
            await self.dispatch.stop()
        await self.storage.close()

    async def run(self, seconds: float = 0.0) -> None:
        """Let time pass: each worker runs when it is due or woken."""
        until = self.clock.monotonic() + seconds
        while self._due:
            self._before_step(until)
            worker = min(self._due, key=self._next_run)
            due = self._next_run(worker)
            timer = self.clock.next_timer()
            step_to = min(due, timer) if timer is not None else due
            if step_to > until:
                break
            await self.clock.advance_to(step_to)
            if due <= self.clock.monotonic():
                pause = await self._round(worker)
                self._due[worker] = self.clock.monotonic() + max(pause, 0.0)
            await self.land()
        await self.clock.advance(until - self.clock.monotonic())

    def _before_step(self, until: float) -> None:
        """Called before each step of a run; a larger world skips idle time here."""

    async def _round(self, worker: Worker) -> float:
        worker.wake.clear()
        try:
            return await worker.run_once()
        except StorageUnavailable:
            if not self.patient:
                raise
            return PAUSE_AFTER_FAILURE_SECONDS

    async def land(self) -> None:
        """Let answers that are there be settled."""
        for _ in range(LANDING_TURNS if self.dispatch.dispatcher.sending else 1):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass as `run` does, but let the workers rest while no ping is due.

        So that a day of retries takes as many rounds as it has attempts.
        """
        until = self.clock.monotonic() + seconds
        await self.run(min(seconds, AWAKE_SECONDS))
        while (left := until - self.clock.monotonic()) > 0:
            due = self.dispatch.dispatcher.next_ping_due()
            quiet = left if due is None else due - self.clock.monotonic()
            quiet = min(quiet, left) - AWAKE_SECONDS
            if quiet > 0:
                await self.clock.advance(quiet)
                self._due = dict.fromkeys(self._due, self.clock.monotonic())
            await self.run(min(2 * AWAKE_SECONDS, until - self.clock.monotonic()))

    def _next_run(self, worker: Worker) -> float:
        return self.clock.monotonic() if worker.wake.is_set() else self._due[worker]

    # --- what platforms and subscribers do ----------------------------------------------------

    async def publish(
        self,
        count: int = 1,
        *,
        account: str = "acme",
        solution: str = "crm",
        application: str = "people",
        changed: Iterable[str] | None = None,
    ) -> Receipt:
        """Append some changes as one publish."""
        self._published += 1
        names = None if changed is None else tuple(changed)
        entry = NewEntry(
            kind=Kind.RECORD_CREATED if names is None else Kind.RECORD_UPDATED,
            application=application,
            subject=f"r{self._published}",
            mask=EVERY_FIELD if names is None else field_mask(names),
            changed=names,
            body=b',"kind":"RECORD_CREATED"}',
        )
        return await self.storage.log.append(
            Append(
                bucket=bucket_of(account, solution),
                account=account,
                solution=solution,
                key=f"publish-{self._published}",
                body_hash=b"",
                entries=(entry,) * count,
                suppressed=0,
                batch_id=f"batch-{self._published}",
            )
        )

    async def register(
        self,
        url: str | None = "https://endpoint.example/hook",
        *,
        account: str = "acme",
        solution: str = "crm",
        wanted: Filter | None = None,
        enabled: bool = True,
        start_at: datetime | None = None,
    ) -> Webhook:
        """Create a webhook."""
        bucket = bucket_of(account, solution)
        stamp = Stamp("Jane Doe", self.clock.now())
        webhook = Webhook(
            bucket=bucket,
            webhook_id=new_webhook_id(bucket, self.clock.entropy(15)),
            account=account,
            solution=solution,
            filter=wanted or SolutionFilter(),
            kinds=RECORD_KINDS,
            notifications=Notifications(enabled=enabled, url=url),
            secret=signing.new_secret(self.clock.entropy(signing.SECRET_BYTES)),
            created=stamp,
            updated=stamp,
        )
        return await self.storage.webhooks.create(webhook, start_at=start_at)

    async def switch(self, webhook: Webhook, *, enabled: bool) -> Webhook:
        """Turn a webhook's notifications on or off."""
        row = await self.storage.webhooks.get(webhook.bucket, webhook.webhook_id)
        assert row is not None
        notifications = msgspec.structs.replace(row.notifications, enabled=enabled)
        return await self.storage.webhooks.update(
            msgspec.structs.replace(row, notifications=notifications)
        )
