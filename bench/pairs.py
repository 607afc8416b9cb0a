"""Two servers under the same load, in turns: what disturbs the machine disturbs both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.load import Load, run_load
from bench.processes import Process
from bench.report import Slice
from bench.sizes import Sizes

_WARM_UP = 0.25
"""Of a slice's time, before the first pair: caches, connections, the interpreter's own tuning."""
_LEAST_WARM_UP_SECONDS = 0.1
"""Less warms nothing, and costs a process."""


def paired(
    sizes: Sizes,
    ours: tuple[Process, Sequence[bytes]],
    bare: tuple[Process, Sequence[bytes]],
    *,
    connections: int,
    per_request: int,
    database_cpu: Callable[[], float] = float,
) -> list[tuple[Slice, Slice]]:
    """Load both in turns, `rounds` times; `per_request` is what one request counts for.

    `database_cpu` tells the processor time of a database that both use in their turns. Raises
    RuntimeError where a request fails: what is fast at refusing says nothing.
    """

    def load(side: tuple[Process, Sequence[bytes]], seconds: float) -> Slice:
        return loaded(
            *side,
            seconds=seconds,
            connections=connections,
            per_request=per_request,
            database_cpu=database_cpu,
        )

    if sizes.seconds * _WARM_UP >= _LEAST_WARM_UP_SECONDS:
        for side in (ours, bare):
            load(side, sizes.seconds * _WARM_UP)
    return [(load(ours, sizes.seconds), load(bare, sizes.seconds)) for _ in range(sizes.rounds)]


def loaded(
    process: Process,
    requests: Sequence[bytes],
    *,
    seconds: float,
    connections: int,
    per_request: int,
    database_cpu: Callable[[], float] = float,
) -> Slice:
    """Load one server for a while. Raises RuntimeError where a request fails."""
    load = Load(port=process.port, connections=connections, seconds=seconds, requests=requests)
    before, database_before = process.cpu_seconds(), database_cpu()
    result = run_load(load)
    if result.failed or not result.answered:
        raise RuntimeError(f"{result.failed} requests failed, {result.answered} didn't")
    return Slice(
        done=result.answered * per_request,
        seconds=result.seconds,
        cpu_seconds=process.cpu_seconds() - before,
        database_cpu_seconds=database_cpu() - database_before,
    )
