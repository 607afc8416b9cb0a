"""How many machines a world needs: arithmetic, before anything is played."""

from __future__ import annotations

import math

import msgspec

from bench.model.costs import Costs
from bench.model.world import Shares, World, node_of
from tidings.domain.buckets import BUCKETS
from tidings.domain.limits import GROUP_COMMIT_WRITES


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What the peak takes. Cores are busy ones: divide by how full they may be."""

    changes_a_second: float
    pings_a_second: float
    listed_a_second: float
    api_cores: float
    """For publishing and listing."""
    dispatcher_cores: float
    database_cores_writing: float
    database_cores_reading: float
    nodes: int
    """Of the database, so that none is fuller than it may be."""
    busiest_node: int
    busiest_node_utilisation: float
    mean_node_utilisation: float
    busiest_bucket_utilisation: float
    """Of the one lane that commits it, in the largest groups: no number of nodes lowers it."""
    bytes_a_day: float


def needs_of(world: World, costs: Costs, shares: Shares) -> Needs:
    """Say what a world needs at its peak."""
    changes, pings, listed = sum(shares.changes), sum(shares.pings), sum(shares.listed)
    loads = [
        _writing(world, costs, rate) + read * costs.list_database
        for rate, read in zip(shares.changes, shares.listed, strict=True)
    ]
    nodes, by_node = 1, [sum(loads)]
    while max(by_node) > world.node_cores * world.utilisation and nodes < BUCKETS:
        nodes *= 2
        by_node = _by_node(loads, nodes)
    busiest = by_node.index(max(by_node))
    largest_group = GROUP_COMMIT_WRITES * world.changes_a_request
    largest_seconds = world.sync_seconds + costs.commit.of(largest_group)
    return Needs(
        changes_a_second=changes,
        pings_a_second=pings,
        listed_a_second=listed,
        api_cores=costs.api.of(changes, changes / world.changes_a_request)
        + listed * costs.list_api,
        dispatcher_cores=pings * costs.ping,
        database_cores_writing=_writing(world, costs, changes),
        database_cores_reading=listed * costs.list_database,
        nodes=nodes,
        busiest_node=busiest,
        busiest_node_utilisation=by_node[busiest] / world.node_cores,
        mean_node_utilisation=sum(by_node) / nodes / world.node_cores,
        busiest_bucket_utilisation=max(shares.changes) * largest_seconds / largest_group,
        bytes_a_day=world.changes_a_day * costs.event_bytes,
    )


def dispatchers(world: World, needs: Needs) -> int:
    """Return how many dispatcher processes, of one core each, the peak needs."""
    return max(1, math.ceil(needs.dispatcher_cores / world.utilisation))


def _writing(world: World, costs: Costs, rate: float) -> float:
    return costs.database.of(rate, rate / world.changes_a_request)


def _by_node(loads: list[float], nodes: int) -> list[float]:
    by_node = [0.0] * nodes
    for bucket, load in enumerate(loads):
        by_node[node_of(bucket, nodes)] += load
    return by_node
