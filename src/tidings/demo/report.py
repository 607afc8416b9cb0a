"""What the demo says at its end. The numbers are pure; the table is rich's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table as RichTable

from tidings.demo.ledger import Progress, ReceivedPing
from tidings.demo.publisher import Published
from tidings.domain.dispatch import Attempt

PING_PACE_SECONDS = 1.0
"""The contract's least time between two pings to a webhook (1.6)."""
_SHOWN_DIFFERENCES = 10


class Outage(msgspec.Struct, frozen=True):
    """From the kill of a process to the first ping after its new start (monotonic seconds)."""

    killed_at: float
    over_at: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """All that was seen in one run."""

    published: tuple[Published, ...]
    pings: tuple[ReceivedPing, ...]
    outages: tuple[Outage, ...]
    progress: Progress
    attempts: tuple[Attempt, ...]
    """The server's own log of what it sent; a kill may cost it its last second."""
    differences: tuple[str, ...]
    records: int
    receiver_restarts: int
    server_restarts: int
    server_exit: int | None
    seconds: float

    @property
    def faults(self) -> tuple[str, ...]:
        """What went wrong, in sentences; nothing if the run was right."""
        accepted = sum(one.accepted for one in self.published)
        progress = self.progress
        found = {
            f"{len(self.differences)} records differ": len(self.differences),
            f"{accepted} events were due, {progress.events} came": accepted != progress.events,
            f"{progress.repeated} events came twice": progress.repeated,
            f"{progress.out_of_order} events came out of order": progress.out_of_order,
            f"{progress.wrong_previous} previous values are wrong": progress.wrong_previous,
            f"the server ended with exit code {self.server_exit}": self.server_exit != 0,
        }
        return tuple(sentence for sentence, wrong in found.items() if wrong)


class Latencies(msgspec.Struct, frozen=True):
    """Seconds from a publish to the first ping that covers it, at steady state."""

    all: tuple[float, ...]
    after_quiet: tuple[float, ...]
    """Those whose ping had not to wait for the pace."""


def outage(killed_at: float, started_at: float, pings: Sequence[ReceivedPing]) -> Outage:
    """Return the outage of a kill: it is over with the first ping after the new start."""
    later = [ping.received_at for ping in pings if ping.received_at > started_at]
    return Outage(killed_at, min(later, default=float("inf")))


def latencies(
    published: Sequence[Published], pings: Sequence[ReceivedPing], outages: Sequence[Outage]
) -> Latencies:
    """Match publishes with pings; leave out those whose way fell into an outage."""
    ordered = sorted(pings, key=lambda ping: ping.received_at)
    every: list[float] = []
    quiet: list[float] = []
    newest = 0
    for one in published:
        first = _first_covering(ordered, one)
        if first is not None and not _hit(one.sent_at, first.received_at, outages):
            latency = first.received_at - one.sent_at
            every.append(latency)
            if _is_after_quiet(one, newest, ordered):
                quiet.append(latency)
        newest = max(newest, one.last_position or 0)
    return Latencies(tuple(every), tuple(quiet))


def _is_after_quiet(published: Published, newest: int, ordered: Sequence[ReceivedPing]) -> bool:
    """Whether nothing else (up to `newest`) waited for a ping, and the last one is a while ago."""
    before = [ping for ping in ordered if ping.received_at < published.sent_at]
    if not before:
        return newest == 0
    last = before[-1]
    return last.covered >= newest and published.sent_at - last.received_at > PING_PACE_SECONDS


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the value that `share` of all (0 to 1) do not exceed; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _first_covering(ordered: Sequence[ReceivedPing], published: Published) -> ReceivedPing | None:
    position = published.last_position
    if position is None:
        return None
    return next((ping for ping in ordered if ping.covered >= position), None)


def _hit(begins_at: float, ends_at: float, outages: Sequence[Outage]) -> bool:
    return any(begins_at <= one.over_at and ends_at >= one.killed_at for one in outages)


def print_report(outcome: Outcome, console: Console) -> None:
    """Print the table and the verdict."""
    table = RichTable(title="tidings demo", show_header=False, title_justify="left")
    for label, value in _rows(outcome):
        table.add_row(label, value)
    console.print(table)
    for sentence in outcome.differences[:_SHOWN_DIFFERENCES]:
        console.print(f"  {sentence}", markup=False)
    for sentence in outcome.faults:
        console.print(f"  {sentence}", style="red", markup=False)
    if outcome.faults:
        console.print("The rebuilt table is NOT what it should be.", style="bold red")
    else:
        console.print(
            "EQUAL: the table rebuilt from events alone is the source's last revision, "
            f"all {outcome.records} records.",
            style="bold green",
            soft_wrap=True,
        )


def _rows(outcome: Outcome) -> list[tuple[str, str]]:
    published, pings, progress = outcome.published, outcome.pings, outcome.progress
    distinct = len({ping.identity for ping in pings})
    found = latencies(published, pings, outcome.outages)
    left_out = len(published) - len(found.all)
    failed = sum(attempt.error is not None for attempt in outcome.attempts)
    return [
        ("batches published", f"{len(published):,}"),
        ("changes published", f"{sum(one.changes for one in published):,}"),
        ("suppressed (changed nothing)", f"{sum(one.suppressed for one in published):,}"),
        ("events listed", f"{progress.events:,} on {progress.pages} pages"),
        ("pings sent, by the server's log", f"{len(outcome.attempts)}, {failed} failed"),
        ("pings received", f"{len(pings)}, {distinct} distinct"),
        ("events a ping", f"{progress.events / max(1, len(pings)):.1f}"),
        ("publish to ping, first after quiet", _shown(found.after_quiet)),
        ("publish to ping, all (at most 1 ping/s)", _shown(found.all)),
        ("  left out: during the kills", f"{left_out} batches"),
        ("receiver killed and started again", str(outcome.receiver_restarts)),
        ("server killed in mid-publish and started again", str(outcome.server_restarts)),
        ("events twice / out of order", f"{progress.repeated} / {progress.out_of_order}"),
        ("previous values that disagree", str(progress.wrong_previous)),
        ("records in the source / that differ", f"{outcome.records} / {len(outcome.differences)}"),
        ("time", f"{outcome.seconds:.1f} s"),
    ]


def _shown(values: Sequence[float]) -> str:
    half, most = percentile(values, 0.5), percentile(values, 0.99)
    if half is None or most is None:
        return "none measured"
    return f"p50 {half * 1000:.0f} ms, p99 {most * 1000:.0f} ms (of {len(values)})"
