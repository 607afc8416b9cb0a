"""All that the model says of a world, from one seed."""

from __future__ import annotations

import msgspec

from bench.model.costs import Costs
from bench.model.needs import Needs, dispatchers, needs_of
from bench.model.peak import Node, Played, Trouble
from bench.model.storm import Storm, play_storm
from bench.model.world import World, shared_out

SECONDS = 90.0
"""Of the peak, played for each of its troubles."""
_TROUBLE_AT = 15.0
STORMS = (0.1, 0.5)
"""Shares of the endpoints that are down for a day."""


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """What was assumed, what was measured, and what came of it."""

    seed: int
    world: World
    costs: Costs
    needs: Needs
    dispatchers: int
    quiet: Played
    failover: Played
    dispatcher_lost: Played
    storms: list[Storm]


def grow(world: World, costs: Costs, *, seed: int, seconds: float = SECONDS) -> Growth:
    """Play a world; the same seed and costs give the same, to the last digit."""
    shares = shared_out(world)
    needs = needs_of(world, costs, shares)
    processes = dispatchers(world, needs)

    def played(trouble: Trouble) -> Played:
        return Node(world, costs, shares, needs, seed=seed).play(seconds, trouble)

    return Growth(
        seed=seed,
        world=world,
        costs=costs,
        needs=needs,
        dispatchers=processes,
        quiet=played(Trouble()),
        failover=played(Trouble(failover_at=_TROUBLE_AT)),
        dispatcher_lost=played(Trouble(dispatcher_lost_at=_TROUBLE_AT)),
        storms=[play_storm(world, share=share, processes=processes, seed=seed) for share in STORMS],
    )
