"""What was measured: as a table for people, as JSON for keeping."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.machine import Machine
from bench.sizes import Sizes


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One measurement. `ratio` is how near it comes to its ceiling: 1 is as fast as bare."""

    name: str
    unit: str
    ours: float
    bare: float | None = None
    ratio: float | None = None
    least_ratio: float | None = None
    """The mark, of a ratio."""
    most: float | None = None
    """The mark, of a value."""
    cpu_ratio: float | None = None
    """The same by processor time: it says less of waiting, and more on a busy machine."""
    ours_cpu_us: float | None = None
    bare_cpu_us: float | None = None
    """Processor time of one of what is counted: of the server alone."""
    ours_database_cpu_us: float | None = None
    bare_database_cpu_us: float | None = None
    """And of the database beside it; `cpu_ratio` counts both."""
    note: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether the mark is reached; None where there is none."""
        if self.least_ratio is not None:
            return self.ratio is not None and self.ratio >= self.least_ratio
        return None if self.most is None else self.ours <= self.most


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """One side's part of one round: what was done, in which time, by how much of a processor."""

    done: float
    seconds: float
    cpu_seconds: float
    database_cpu_seconds: float = 0.0
    """Of a database that is a server of its own."""


def compared(
    name: str,
    unit: str,
    pairs: Sequence[tuple[Slice, Slice]],
    *,
    least_ratio: float | None = None,
    note: str = "",
) -> Row:
    """Return the row of slices in pairs (ours, bare): medians, since machines are disturbed."""
    ours, bare = [one for one, _ in pairs], [other for _, other in pairs]
    ours_cpu, bare_cpu = _median_cpu_us(ours), _median_cpu_us(bare)
    ours_database, bare_database = _median_database_us(ours), _median_database_us(bare)
    ours_all, bare_all = ours_cpu + ours_database, bare_cpu + bare_database
    return Row(
        name=name,
        unit=unit,
        ours=statistics.median(map(_rate, ours)),
        bare=statistics.median(map(_rate, bare)),
        ratio=statistics.median(_rate(one) / _rate(other) for one, other in pairs),
        least_ratio=least_ratio,
        cpu_ratio=bare_all / ours_all if ours_all else None,
        ours_cpu_us=ours_cpu,
        bare_cpu_us=bare_cpu,
        ours_database_cpu_us=ours_database or None,
        bare_database_cpu_us=bare_database or None,
        note=note,
    )


def _rate(part: Slice) -> float:
    return part.done / part.seconds


def _median_cpu_us(parts: Sequence[Slice]) -> float:
    return statistics.median(part.cpu_seconds / part.done * 1e6 for part in parts)


def _median_database_us(parts: Sequence[Slice]) -> float:
    return statistics.median(part.database_cpu_seconds / part.done * 1e6 for part in parts)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A run."""

    machine: Machine
    sizes: Sizes
    rows: list[Row]


def keep(report: Report, folder: Path) -> Path:
    """Write a report as JSON, named by its time; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{report.machine.began_at:%Y-%m-%dT%H%M%SZ}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    return file


def show(report: Report, console: Console) -> None:
    """Print a report as a table."""
    columns = ("measured", "unit", "ours", "bare", "ratio", "by cpu", "mark", "", "note")
    table = Table(*columns, title=report.machine.sentence)
    for row in report.rows:
        table.add_row(
            row.name,
            row.unit,
            _number(row.ours),
            _number(row.bare),
            _number(row.ratio),
            _number(row.cpu_ratio),
            _mark(row),
            {True: "kept", False: "missed", None: ""}[row.kept],
            row.note,
        )
    console.print(table)


def _mark(row: Row) -> str:
    if row.least_ratio is not None:
        return f"≥ {row.least_ratio:g}"
    return "" if row.most is None else f"≤ {row.most:g}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
