"""Two servers under the same load, in turns: what disturbs the machine disturbs both."""

from __future__ import annotations

from collections.abc import Sequence

from bench.load import Load, run_load
from bench.processes import Process
from bench.report import Slice
from bench.sizes import Sizes

_WARM_UP = 0.25
"""Of a slice's time, before the first pair: caches, connections, the interpreter's own tuning."""


def paired(
    sizes: Sizes,
    ours: tuple[Process, Sequence[bytes]],
    bare: tuple[Process, Sequence[bytes]],
    *,
    connections: int,
    per_request: int,
) -> list[tuple[Slice, Slice]]:
    """Load both in turns, `rounds` times; `per_request` is what one request counts for.

    Raises RuntimeError where a request fails: what is fast at refusing says nothing.
    """

    def loaded(side: tuple[Process, Sequence[bytes]], seconds: float) -> Slice:
        process, requests = side
        load = Load(port=process.port, connections=connections, seconds=seconds, requests=requests)
        before = process.cpu_seconds()
        result = run_load(load)
        if result.failed or not result.answered:
            raise RuntimeError(f"{result.failed} requests failed, {result.answered} didn't")
        return Slice(
            done=result.answered * per_request,
            seconds=result.seconds,
            cpu_seconds=process.cpu_seconds() - before,
        )

    for side in (ours, bare):
        loaded(side, sizes.seconds * _WARM_UP)
    return [(loaded(ours, sizes.seconds), loaded(bare, sizes.seconds)) for _ in range(sizes.rounds)]
