"""What the demo's second act says at its end. The numbers are pure; the table is rich's."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec
from rich.console import Console
from rich.table import Table as RichTable

from tidings.demo.sheet import Told
from tidings.domain.dispatch import Attempt


class SheetOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """All that was seen in one run of the act."""

    expected: tuple[Told, ...]
    """What the changes imply, in order."""
    handled: tuple[Told, ...]
    """What was handled, in the order of handling."""
    rows: frozenset[int]
    """The source's rows."""
    live: frozenset[int]
    """Those that are live by what was handled."""
    status: str
    attempts: tuple[Attempt, ...]
    """The server's own log of what it sent; a kill may cost it its last second."""
    receiver_restarts: int
    server_restarts: int
    server_exit: int | None
    seconds: float

    @property
    def faults(self) -> tuple[str, ...]:
        """What went wrong, in sentences; nothing if the run was right."""
        expected, handled = Counter(self.expected), Counter(self.handled)
        missing, more = (expected - handled).total(), (handled - expected).total()
        disordered = sum(
            handled_of != expected_of
            for handled_of, expected_of in _paired(_by_row(self.handled), _by_row(self.expected))
        )
        differing = self.rows ^ self.live
        found = {
            f"{missing} events weren't handled": missing,
            f"{more} events were handled that nothing implies, or twice": more,
            f"{disordered} rows' events came out of order": disordered,
            f"{len(differing)} rows are live that aren't in the source, or aren't": differing,
            f"the webhook stands as {self.status}": self.status != "ENABLED",
            f"the server ended with exit code {self.server_exit}": self.server_exit != 0,
        }
        return tuple(sentence for sentence, wrong in found.items() if wrong)


def _by_row(told: Iterable[Told]) -> dict[int, list[Told]]:
    rows: dict[int, list[Told]] = defaultdict(list)
    for event in told:
        rows[event.row].append(event)
    return rows


def _paired(
    handled: dict[int, list[Told]], expected: dict[int, list[Told]]
) -> Iterable[tuple[list[Told], list[Told]]]:
    return ((handled.get(row, []), expected.get(row, [])) for row in handled.keys() | expected)


def print_sheet_report(outcome: SheetOutcome, console: Console) -> None:
    """Print the table and the verdict."""
    table = RichTable(title="the same as callbacks", show_header=False, title_justify="left")
    for label, value in _rows(outcome):
        table.add_row(label, value)
    console.print(table)
    for sentence in outcome.faults:
        console.print(f"  {sentence}", style="red", markup=False)
    if outcome.faults:
        console.print("What was handled is NOT what the changes imply.", style="bold red")
    else:
        console.print(
            f"EQUAL: each of {len(outcome.expected):,} events was handled once, and the "
            f"{len(outcome.live)} live rows are the source's.",
            style="bold green",
            soft_wrap=True,
        )


def _rows(outcome: SheetOutcome) -> list[tuple[str, str]]:
    sent = [attempt for attempt in outcome.attempts if attempt.covered]
    failed = sum(attempt.error is not None for attempt in sent)
    nonces = len({attempt.notification_id for attempt in sent})
    return [
        ("events that the changes imply", f"{len(outcome.expected):,}"),
        ("events handled", f"{len(outcome.handled):,}"),
        ("callbacks sent, by the server's log", f"{len(sent)}, {failed} failed, {nonces} nonces"),
        ("events a callback", f"{len(outcome.handled) / max(1, nonces):.1f}"),
        ("receiver killed and started again", str(outcome.receiver_restarts)),
        ("server killed and started again", str(outcome.server_restarts)),
        ("rows in the source / live", f"{len(outcome.rows)} / {len(outcome.live)}"),
        ("time", f"{outcome.seconds:.1f} s"),
    ]
