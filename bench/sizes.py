"""How large and how long a run is. Each size is an environment variable, BENCH_<NAME>."""

from __future__ import annotations

import os

import msgspec


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """The defaults take a quarter of an hour on two quiet cores."""

    events: int = 1_000_000
    """In the log that is listed."""
    webhooks: int = 100_000
    """Of the large account."""
    pings: int = 20_000
    """Webhooks that one burst of changes pings."""
    rounds: int = 5
    """Slices of each side of a comparison; they alternate, and medians are told."""
    seconds: float = 2.0
    """Of one slice."""
    connections: int = 64
    """At once, of a load."""
    snapshot_seconds: float = 60.0
    """That a snapshot is held open on PostgreSQL."""


SMOKE = Sizes(
    events=300, webhooks=30, pings=32, rounds=1, seconds=0.1, connections=4, snapshot_seconds=0.2
)
"""All of it in seconds: says that the benchmarks run, and nothing about speed."""


def sizes_of(environment: dict[str, str]) -> Sizes:
    """Return the sizes: BENCH_SIZES=smoke or the defaults, then what a variable of its own says."""
    sizes = SMOKE if environment.get("BENCH_SIZES") == "smoke" else Sizes()
    given = {
        name: environment[f"BENCH_{name.upper()}"]
        for name in Sizes.__struct_fields__
        if f"BENCH_{name.upper()}" in environment
    }
    return msgspec.convert(msgspec.to_builtins(sizes) | given, Sizes, strict=False)


def current_sizes() -> Sizes:
    """Return the sizes that the environment asks for."""
    return sizes_of(dict(os.environ))
