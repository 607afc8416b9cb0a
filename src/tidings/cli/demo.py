"""`tidings demo`: the whole way of a change on real data, with processes killed on the way."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console


def demo(
    revisions: Annotated[
        int | None, typer.Option(min=16, help="Publish only the first so many revisions.")
    ] = None,
    database: Annotated[
        str,
        typer.Option(
            help="Where the log is kept: sqlite, postgresql (one that is started for the demo), "
            "or the URL of a PostgreSQL database of yours.",
        ),
    ] = "sqlite",
) -> None:
    """Publish 189 real revisions of the S&P 500's table, and rebuild it from events alone.

    A real server and a real receiver are started; both are killed with SIGKILL on the way. At the
    end the rebuilt table is compared with the source, record by record. Then the same once more as
    Smartsheet callbacks: what was handled is compared with what the changes imply. It takes under
    two minutes, needs no network, and leaves nothing behind. Exits 1 if anything differs.

        $ tidings demo
    """
    # Imported late, so that no other command waits for the demo's parts to load.
    from tidings.demo.databases import Databases
    from tidings.demo.play import play
    from tidings.demo.report import print_report
    from tidings.demo.sheet_play import play_sheet
    from tidings.demo.sheet_report import print_sheet_report
    from tidings.demo.source import load_revisions

    signal.signal(signal.SIGTERM, _end_in_order)
    history = load_revisions()[:revisions]
    console = Console(highlight=False)
    changes = sum(len(revision.changes) for revision in history)
    console.print(f"{changes:,} changes in {len(history)} revisions of the S&P 500's constituents")

    def say(sentence: str) -> None:
        console.print(sentence, markup=False, soft_wrap=True)

    with Databases(database, say) as databases:
        outcome = play(history, databases, say)
        print_report(outcome, console)
        console.print("\nThe same changes as Smartsheet callbacks")
        called = play_sheet(history, databases, say)
        print_sheet_report(called, console)
    if outcome.faults or called.faults:
        raise typer.Exit(1)


def _end_in_order(number: int, _: FrameType | None) -> None:
    """Let SIGTERM unwind as Ctrl-C does, so that the processes of the demo are stopped."""
    raise SystemExit(128 + number)
