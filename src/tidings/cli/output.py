"""How commands speak: results on standard output, everything else on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import msgspec
from rich.console import Console
from rich.table import Table

_FILE_WIDTH = 1_000
"""Columns where no terminal limits them: a table in a pipe isn't cut."""


def complain(sentence: str) -> None:
    """Say on standard error why a command was refused."""
    _write_error(f"tidings: {sentence}")


def note(sentence: str) -> None:
    """Say something on standard error that is no result."""
    _write_error(sentence)


def print_json(value: object) -> None:
    """Print one JSON document, indented."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def print_line(line: bytes | str) -> None:
    """Print one line at once, so that a pipe's reader sees it now."""
    sys.stdout.write((line.decode() if isinstance(line, bytes) else line) + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
    """Print a table for people; nothing in it is read as markup."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*[_plain(cell) for cell in row])
    width = None if sys.stdout.isatty() else _FILE_WIDTH
    Console(highlight=False, markup=False, emoji=False, width=width).print(table)


def _plain(cell: str | None) -> str:
    """Return a cell without control characters: names come from clients."""
    return "-" if cell is None else "".join(c if c.isprintable() else "?" for c in cell)


def _write_error(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
