"""Keeping the leases of a dispatcher's buckets (mechanics D6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from tidings import telemetry
from tidings.domain import limits
from tidings.ports import Clock, DispatchStore


class Leases:
    """Which buckets are held, at which epochs, and since when surely. A Worker: it renews.

    `on_lost` is called with buckets that are no longer held; whoever dispatches for them must stop
    at once. Without a renewal for LEASE_ABORT_SECONDS `sure` is False and transfers must be
    aborted: the lease itself ends only later, so nobody else can have started one.

    `writing` is held by whoever writes dispatch state, from taking its picture until that is
    committed: of two transactions at once the one with the older picture may be committed last.
    """

    name = "leases"

    def __init__(self, store: DispatchStore, clock: Clock, holder: str) -> None:
        self.wake = asyncio.Event()
        self.writing = asyncio.Lock()
        self.epochs: dict[int, int] = {}
        self.on_lost: Callable[[Iterable[int]], None] = lambda buckets: None
        self._store = store
        self._clock = clock
        self._holder = holder
        self._renewed_at = clock.monotonic()

    @property
    def sure(self) -> bool:
        """Whether a send may start: the last renewal is recent by our own clock."""
        return self.sure_seconds > 0

    @property
    def sure_seconds(self) -> float:
        """How long that is so without another renewal; 0 or less where it isn't."""
        return self._renewed_at + limits.LEASE_ABORT_SECONDS - self._clock.monotonic()

    async def take(self, buckets: Iterable[int], *, predecessor_gone: bool) -> None:
        """Take what can be taken of these buckets."""
        asked_at = self._clock.monotonic()
        taken = await self._store.take(
            list(buckets), self._holder, limits.LEASE_SECONDS, predecessor_gone=predecessor_gone
        )
        # What is held already isn't renewed by taking more; nor is what was taken by a renewal that
        # was quicker than this.
        self._renewed_at = min(self._renewed_at, asked_at) if self.epochs else asked_at
        self.epochs.update(taken)

    async def run_once(self) -> float:
        """Renew; tell of what was lost. An error counts as not renewed, and is raised."""
        asked_at = self._clock.monotonic()
        asked = dict(self.epochs)
        held = await self._store.renew(self._holder, asked, limits.LEASE_SECONDS) if asked else ()
        whole = self.epochs.keys() <= asked.keys()  # nothing was taken meanwhile
        if whole:
            self._renewed_at = asked_at
        self.drop({bucket: epoch for bucket, epoch in asked.items() if bucket not in held})
        next_at = asked_at + limits.LEASE_RENEW_SECONDS if whole else asked_at
        return max(0.0, next_at - self._clock.monotonic())

    def drop(self, epochs: Mapping[int, int]) -> None:
        """Forget buckets whose epoch is over, and say so; not one that was taken anew meanwhile."""
        gone = [bucket for bucket, epoch in epochs.items() if self.epochs.get(bucket) == epoch]
        for bucket in gone:
            del self.epochs[bucket]
        if gone:
            telemetry.logger().warning(telemetry.LEASE_LOST, buckets=gone)
            self.on_lost(gone)

    async def release(self, buckets: Iterable[int] | None = None) -> None:
        """Give them back (None: all): only once nothing is in flight for them, and all of them is
        written down.
        """
        wanted = self.epochs if buckets is None else buckets
        given = {bucket: self.epochs[bucket] for bucket in wanted if bucket in self.epochs}
        for bucket in given:
            del self.epochs[bucket]
        self.on_lost(given)
        if given:
            await self._store.release(self._holder, given)
