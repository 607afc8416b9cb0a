"""What each step costs, as a run of the benchmarks measured it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from bench.report import Report, Row

_PUBLISH = "PostgreSQL: publish, {} a request"
_ALONE = "PostgreSQL: publish, {} alone"
_LIST = "PostgreSQL: list, pages of {}"
_PINGS = "pings, 256 at once"
_BYTES = "PostgreSQL: bytes on disk an event"
_REQUESTS = (1, 10, 100)
_COMMITS = (1, 1_000)
_PAGE = 1_000


class MissingRows(Exception):
    """A results file doesn't hold all that the model needs; the sentence says what is missing."""


class Line(msgspec.Struct, frozen=True):
    """A cost that grows with the number of changes: seconds for a request, and for each change."""

    fixed: float
    each: float

    def of(self, changes: float, requests: float = 1.0) -> float:
        """Return the seconds that so many changes in so many requests cost."""
        return self.fixed * requests + self.each * changes


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of one processor, but for `commit`, which is time."""

    source: str
    """The results file that they are from."""
    api: Line
    """A publish, in the server."""
    database: Line
    """A publish, in PostgreSQL."""
    commit: Line
    """How long one publish alone takes: so long a group keeps its lane."""
    ping: float
    """A ping, in the dispatcher."""
    list_api: float
    """An event that is listed, in the server."""
    list_database: float
    """And in PostgreSQL."""
    event_bytes: float
    """What an event takes on the disk, with its indexes."""


def fit(points: Sequence[tuple[float, float]]) -> Line:
    """Return the line through (changes, seconds) with the least relative error; never below 0."""
    weights = [1.0 / (seconds * seconds) for _, seconds in points]
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    over = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True))
    under = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    each = max(0.0, over / under)
    return Line(max(0.0, mean_y - each * mean_x), each)


def costs_of(report: Report, source: str) -> Costs:
    """Return the costs that a run measured. Raises MissingRows."""
    rows = {row.name: row for row in report.rows}
    needed = [
        *(_PUBLISH.format(count) for count in _REQUESTS),
        *(_ALONE.format(count) for count in _COMMITS),
        *(_LIST.format(_PAGE), _PINGS, _BYTES),
    ]
    if missing := [name for name in needed if name not in rows]:
        raise MissingRows(f"{source} has no row for {'; '.join(missing)}")
    return Costs(
        source=source,
        api=fit([(n, n * _cpu(rows, _PUBLISH.format(n)).ours_cpu_us / 1e6) for n in _REQUESTS]),
        database=fit(
            [(n, n * _cpu(rows, _PUBLISH.format(n)).database_us / 1e6) for n in _REQUESTS]
        ),
        commit=fit([(n, n / rows[_ALONE.format(n)].ours) for n in _COMMITS]),
        ping=_cpu(rows, _PINGS).ours_cpu_us / 1e6,
        list_api=_cpu(rows, _LIST.format(_PAGE)).ours_cpu_us / 1e6,
        list_database=_cpu(rows, _LIST.format(_PAGE)).database_us / 1e6,
        event_bytes=rows[_BYTES].ours,
    )


class _Cpu(msgspec.Struct, frozen=True):
    ours_cpu_us: float
    database_us: float


def _cpu(rows: Mapping[str, Row], name: str) -> _Cpu:
    row = rows[name]
    return _Cpu(row.ours_cpu_us or 0.0, row.ours_database_cpu_us or 0.0)


def newest_costs(folder: Path) -> Costs:
    """Return the costs of the newest results file that has all of them. Raises MissingRows."""
    why = MissingRows(f"there is no results file in {folder}")
    for file in sorted(folder.glob("20*.json"), reverse=True):
        try:
            return costs_of(msgspec.json.decode(file.read_bytes(), type=Report), file.name)
        except MissingRows as error:
            why = error
    raise why
