"""The peak on the busiest node, played request by request: publish, group commit, poll, ping.

A publish is one entity, a group commit one happening; pings go in bursts of at most 64, each
weighing as many as it holds. None of them is coalesced with what waits, as the product would: their
backlog is an upper bound. The other nodes aren't played: they hold less, and share nothing with it.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from functools import partial

import msgspec

from bench.model.costs import Costs
from bench.model.dice import Dice
from bench.model.needs import Needs
from bench.model.queueing import Agenda, Station, percentile
from bench.model.world import Shares, World, node_of
from tidings.domain.buckets import lane_of
from tidings.domain.limits import GROUP_COMMIT_WRITES, LEASE_SECONDS
from tidings.engine.matching import POLL_SECONDS

_BURST = 64
_LOOK_SECONDS = 0.1


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong, and when; None: it doesn't."""

    failover_at: float | None = None
    dispatcher_lost_at: float | None = None


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    publishes: int
    publish_p50_ms: float
    publish_p99_ms: float
    publish_to_ping_p99_ms: float
    commit_publishes: float
    """Publishes in a commit, on average."""
    busiest_lane_utilisation: float
    most_publishes_waiting: int
    most_pings_waiting: int
    drained_seconds: float | None
    """After the trouble was over, until no more waited than before; None: not while it was played.
    """


class _Publish(msgspec.Struct):
    began_at: float
    bucket: int


class _Burst(msgspec.Struct):
    began_at: float
    pings: float


class Node:
    """One node of the database, the servers before it and the dispatchers behind it."""

    def __init__(
        self, world: World, costs: Costs, shares: Shares, needs: Needs, *, seed: int
    ) -> None:
        self._world, self._costs, self._dice = world, costs, Dice(seed)
        self._agenda = Agenda()
        mine = [
            b for b in range(len(shares.changes)) if node_of(b, needs.nodes) == needs.busiest_node
        ]
        self._buckets = mine
        self._number = {bucket: number for number, bucket in enumerate(mine)}
        self._until = list(itertools.accumulate(shares.changes[bucket] for bucket in mine))
        self._gap = world.changes_a_request / self._until[-1]
        pings = sum(shares.pings[bucket] for bucket in mine)
        self._pings_a_publish = pings * self._gap
        self._owed = 0.0
        busy = costs.api.of(world.changes_a_request) / self._gap
        self._api = Station[_Publish](
            self._agenda,
            servers=math.ceil(busy / world.utilisation),
            seconds_of=lambda _: costs.api.of(world.changes_a_request),
            served=self._received,
        )
        self._lanes = [
            Station[_Publish](
                self._agenda,
                servers=1,
                seconds_of=self._commit_seconds,
                served=self._committed,
                most=GROUP_COMMIT_WRITES,
            )
            for _ in range(world.lanes)
        ]
        self._dispatchers = [
            Station[_Burst](
                self._agenda,
                servers=1,
                seconds_of=lambda bursts: bursts[0].pings * costs.ping,
                served=self._pinged,
            )
            for _ in range(max(2, math.ceil(pings * costs.ping / world.utilisation)))
        ]
        self._next_dispatcher = 0
        self._publish_ms: list[tuple[float, float]] = []
        self._ping_ms: list[tuple[float, float]] = []
        self._commits = 0
        self._looks: list[tuple[float, int, int]] = []

    def play(self, seconds: float, trouble: Trouble) -> Played:
        """Play so many seconds."""
        agenda = self._agenda
        agenda.plan(0.0, self._arrive)
        agenda.plan(_LOOK_SECONDS, self._look)
        over_at = None
        if trouble.failover_at is not None:
            over_at = trouble.failover_at + self._world.failover_seconds
            for lane in self._lanes:
                closing = partial(lane.close, self._world.failover_seconds)
                agenda.plan(trouble.failover_at, closing)
        if trouble.dispatcher_lost_at is not None:
            # Its leases end, and the next look of the others finds them free.
            over_at = trouble.dispatcher_lost_at + LEASE_SECONDS
            agenda.plan(
                trouble.dispatcher_lost_at, partial(self._dispatchers[0].close, LEASE_SECONDS)
            )
        agenda.run(seconds)
        began_at = over_at if over_at is None else min(over_at, seconds)
        return Played(
            publishes=len(self._publish_ms),
            publish_p50_ms=percentile(self._publish_ms, 50),
            publish_p99_ms=percentile(self._publish_ms, 99),
            publish_to_ping_p99_ms=percentile(self._ping_ms, 99),
            commit_publishes=len(self._publish_ms) / max(1, self._commits),
            busiest_lane_utilisation=max(lane.busy_seconds for lane in self._lanes) / seconds,
            most_publishes_waiting=max(publishes for _, publishes, _ in self._looks),
            most_pings_waiting=max(pings for _, _, pings in self._looks),
            drained_seconds=0.0 if began_at is None else self._drained(began_at, trouble),
        )

    def _arrive(self) -> None:
        place = bisect.bisect(self._until, self._dice.uniform() * self._until[-1])
        self._api.put(_Publish(self._agenda.now, self._buckets[min(place, len(self._buckets) - 1)]))
        self._agenda.plan(self._dice.exponential(self._gap), self._arrive)

    def _received(self, publishes: Sequence[_Publish]) -> None:
        for publish in publishes:
            # Buckets of a node lie `nodes` apart: their numbers there give the lane.
            number = self._number[publish.bucket]
            self._lanes[lane_of(number, len(self._lanes))].put(publish)

    def _commit_seconds(self, group: Sequence[_Publish]) -> float:
        changes = len(group) * self._world.changes_a_request
        more = self._costs.database.fixed * (len(group) - 1)
        return self._world.sync_seconds + self._costs.commit.of(changes) + more

    def _committed(self, group: Sequence[_Publish]) -> None:
        self._commits += 1
        now = self._agenda.now
        for publish in group:
            self._publish_ms.append(((now - publish.began_at) * 1000, 1.0))
        self._owed += len(group) * self._pings_a_publish
        poll = (math.floor(now / POLL_SECONDS) + 1) * POLL_SECONDS - now
        oldest = min(publish.began_at for publish in group)
        while self._owed >= 1.0:
            pings = min(float(_BURST), math.floor(self._owed))
            self._owed -= pings
            self._agenda.plan(poll, partial(self._hand_over, _Burst(oldest, pings)))

    def _hand_over(self, burst: _Burst) -> None:
        self._next_dispatcher = (self._next_dispatcher + 1) % len(self._dispatchers)
        self._dispatchers[self._next_dispatcher].put(burst)

    def _pinged(self, bursts: Sequence[_Burst]) -> None:
        for burst in bursts:
            self._ping_ms.append(((self._agenda.now - burst.began_at) * 1000, burst.pings))

    def _look(self) -> None:
        publishes = sum(len(lane.waiting) for lane in self._lanes) + len(self._api.waiting)
        bursts = sum(sum(b.pings for b in one.waiting) for one in self._dispatchers)
        self._looks.append((self._agenda.now, publishes, round(bursts)))
        self._agenda.plan(_LOOK_SECONDS, self._look)

    def _drained(self, over_at: float, trouble: Trouble) -> float | None:
        began_at = trouble.failover_at or trouble.dispatcher_lost_at or 0.0
        before = [look for look in self._looks if look[0] < began_at]
        publishes = max((look[1] for look in before), default=0)
        pings = max((look[2] for look in before), default=0)
        for at, waiting, owed in self._looks:
            if at >= over_at and waiting <= publishes and owed <= pings:
                return at - over_at
        return None
