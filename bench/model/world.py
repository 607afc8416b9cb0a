"""What grows: accounts and their webhooks, and what is assumed of the machines; all unmeasured."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tidings.domain.buckets import BUCKETS, bucket_of

_SOLUTION_SHARES = (0.4, 0.3, 0.2, 0.1)
"""Of an account's changes and webhooks, in each of its four solutions."""
_LARGE_ACCOUNTS = 4_000
"""So many are placed in their buckets one by one; the others are spread over all evenly."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """The load and the machines. Every number here is an assumption."""

    accounts: int = 100_000
    zipf: float = 1.0
    """The account of rank r has a share like r to this power, less."""
    changes_a_day: float = 1e9
    peak: float = 4.0
    """The busiest minutes, by the mean of the day."""
    changes_a_request: float = 10.0
    webhooks: int = 1_000_000
    """Shared out as the changes are, at most `solution_webhooks` in a solution."""
    solution_webhooks: int = 10_000
    covered: float = 0.05
    """Of its solution's changes a webhook covers so many (a table in twenty)."""
    node_cores: int = 16
    """Of a database's node."""
    sync_seconds: float = 0.002
    """What a cloud's disk and a standby add to a commit, above the measured machine's."""
    utilisation: float = 0.6
    """How full a node may be at the peak: above it, waiting grows faster than work."""
    lanes: int = 16
    """Lanes of a node."""
    failover_seconds: float = 22.0
    """How long no commit ends: measured with Patroni's ttl of 20 s, on other machines."""

    @property
    def peak_rate(self) -> float:
        """Changes a second at the peak."""
        return self.changes_a_day / 86_400 * self.peak


class Shares(msgspec.Struct, frozen=True):
    """What falls to each bucket at the peak, a second."""

    changes: list[float]
    pings: list[float]
    listed: list[float]
    """Events that are read: each change by each webhook that covers it."""
    hottest_solution: float
    """Changes a second of the largest solution, which no node can share with another."""


def shared_out(world: World) -> Shares:
    """Share out changes and pings over the buckets.

    A webhook whose covered changes come at random, `rate` a second, is pinged at once after quiet
    and then once a second at most: `rate / (1 + rate)` times a second (mechanics D4).
    """
    changes, pings, listed = ([0.0] * (BUCKETS + 1) for _ in range(3))
    hottest = 0.0
    for solution in solutions(world):
        rate = world.peak_rate * solution.share
        seen = rate * world.covered
        changes[solution.bucket] += rate
        pings[solution.bucket] += solution.webhooks * seen / (1 + seen)
        listed[solution.bucket] += solution.webhooks * seen
        hottest = max(hottest, rate)
    return Shares(_spread(changes), _spread(pings), _spread(listed), hottest)


class Solution(msgspec.Struct, frozen=True):
    """One solution: its share of all changes, its webhooks, and its bucket."""

    share: float
    webhooks: float
    bucket: int
    """BUCKETS, which is none, where it is so small that it counts for all of them."""


def solutions(world: World) -> Iterator[Solution]:
    """Yield all solutions, the largest accounts' first."""
    for number, share in enumerate(_zipf(world)):
        for part, of_account in enumerate(_SOLUTION_SHARES):
            bucket = BUCKETS
            if number < _LARGE_ACCOUNTS:
                bucket = bucket_of(f"account-{number}", f"solution-{part}")
            webhooks = min(world.webhooks * share * of_account, world.solution_webhooks)
            yield Solution(share * of_account, webhooks, bucket)


def _spread(rates: list[float]) -> list[float]:
    *by_bucket, small = rates
    return [rate + small / BUCKETS for rate in by_bucket]


def _zipf(world: World) -> Iterator[float]:
    whole = sum(rank**-world.zipf for rank in range(1, world.accounts + 1))
    for rank in range(1, world.accounts + 1):
        yield rank**-world.zipf / whole


def node_of(bucket: int, nodes: int) -> int:
    """Return the node that holds a bucket: they are dealt round, as shards are."""
    return bucket % nodes
