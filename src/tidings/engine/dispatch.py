"""The dispatch as a whole: the dispatcher and the workers that keep it honest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from tidings.domain import limits
from tidings.domain.buckets import BUCKETS
from tidings.domain.server_role import ServerRole
from tidings.engine.attempts import AttemptLog
from tidings.engine.attendance import Attendance
from tidings.engine.checkpoint import Checkpointing
from tidings.engine.claims import Claims
from tidings.engine.dispatcher import Dispatcher
from tidings.engine.endings import Endings
from tidings.engine.lease_watch import LeaseWatch
from tidings.engine.leases import Leases
from tidings.engine.reads import Reads
from tidings.engine.standings import Standings
from tidings.engine.told_reads import ToldReads
from tidings.engine.worker import Worker, run_worker
from tidings.ports import Clock, Sender, Storage

LANDING_SECONDS = 10.0
"""When it ends, how long attempts in flight may take to land; later ones are sent again."""


class Dispatch:
    """One process's dispatch. `workers` are to be run from `start` to `stop`."""

    def __init__(
        self,
        storage: Storage,
        sender: Sender,
        clock: Clock,
        holder: str,
        *,
        reads: Reads | None = None,
        sends: int = limits.SENDS,
        gather_seconds: float = limits.CALLBACK_GATHER_SECONDS,
    ) -> None:
        self.leases = Leases(storage.dispatch, clock, holder)
        self.attempts = AttemptLog(storage.dispatch)
        self.endings = Endings(storage.webhooks, self.leases)
        self.standings = Standings(storage.webhooks, self.leases, clock)
        self.dispatcher = Dispatcher(
            storage,
            sender,
            clock,
            self.leases,
            self.attempts,
            self.endings,
            self.standings,
            sends=sends,
            gather_seconds=gather_seconds,
        )
        self.checkpointing = Checkpointing(self.dispatcher, storage.dispatch, clock)
        self._alone = storage.capabilities.sole_server
        self._attendance = Attendance(storage.roster, clock, ServerRole.DISPATCHER, holder)
        self._claims = Claims(
            storage.dispatch, self._attendance, self.leases, self.dispatcher, self.checkpointing
        )
        self._told = ToldReads(storage.dispatch, self.dispatcher)
        self._lease_watch = LeaseWatch(self.leases, self.dispatcher)
        self._clock = clock
        self._storage = storage
        self._reads = reads
        self._unwatch: Callable[[], None] | None = None

    @property
    def workers(self) -> Sequence[Worker]:
        """What must be run: each by `run_worker`."""
        return (
            *self._holding,
            *(() if self._alone else (self._claims, self._told)),
            self.dispatcher,
            self.checkpointing,
            self.endings,
            self.standings,
            self.attempts,
        )

    @property
    def hindrance(self) -> str | None:
        """Why pings don't go out now, as a sentence; None where they do."""
        return None if self.leases.sure else "the dispatcher's leases could not be renewed"

    async def start(self) -> None:
        """Take over the buckets, or this process's share of them; from here on hints are heard."""
        self._unwatch = self._storage.log.watch(self.dispatcher.appended)
        if self._reads is not None:
            self._reads.listen(self.dispatcher.note_read)
        if not self._alone:
            await self._attendance.run_once()
        async with self._held():
            if self._alone:
                await self.dispatcher.take_over(range(BUCKETS))
            else:
                await self._claims.run_once()
        self.checkpointing.begin_at(self.dispatcher.tail.positions)

    async def stop(self) -> None:
        """After the workers have ended: land what flies, write all down, give the leases back."""
        self.unwatch()
        async with self._held():
            await self.dispatcher.drain(LANDING_SECONDS)
            await self.checkpointing.run_once()
            await self.attempts.run_once()
        await self.leases.release()
        if not self._alone:
            await self._attendance.leave()

    @property
    def _holding(self) -> Sequence[Worker]:
        """What keeps the leases, and heeds where they can't be kept."""
        others = () if self._alone else (self._attendance,)
        return (self.leases, self._lease_watch, *others)

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[None]:
        """Keep the leases while the workers don't run: loading and landing may outlast one."""
        over = asyncio.Event()
        keeping = [
            asyncio.create_task(run_worker(worker, self._clock, over)) for worker in self._holding
        ]
        try:
            yield
        finally:
            over.set()
            for worker in self._holding:
                worker.wake.set()
            await asyncio.gather(*keeping)

    def unwatch(self) -> None:
        """Hear no more hints."""
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None
