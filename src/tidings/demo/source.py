"""The demo's changes: the S&P 500 constituents in 189 revisions (`data/README.md`). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from itertools import groupby
from typing import Literal

import msgspec

ACCOUNT = "demo"
SOLUTION = "sp500"
APPLICATION = "constituents"

Record = dict[str, str]
Table = dict[str, Record]
"""Records by key."""

_KINDS = {"create": "RECORD_CREATED", "update": "RECORD_UPDATED", "delete": "RECORD_DELETED"}


class SourceChange(msgspec.Struct, frozen=True):
    """One line of the file."""

    at: str
    revision: str
    op: Literal["create", "update", "delete"]
    key: str
    after: Record | None
    before: Record | None


class Revision(msgspec.Struct, frozen=True):
    """The changes of one revision: what is published as one batch."""

    number: int
    """Its place in the history, from 1."""
    identity: str
    changes: tuple[SourceChange, ...]


def load_revisions() -> tuple[Revision, ...]:
    """Return the whole history, oldest first."""
    return parse_revisions((files(__package__) / "data" / "sp500_changes.jsonl").read_bytes())


def parse_revisions(lines: bytes) -> tuple[Revision, ...]:
    """Read a history: neighbouring lines of one revision are one batch."""
    decoder = msgspec.json.Decoder(SourceChange)
    changes = decoder.decode_lines(lines)
    grouped = groupby(changes, key=lambda change: change.revision)
    return tuple(
        Revision(number, identity, tuple(of_revision))
        for number, (identity, of_revision) in enumerate(grouped, start=1)
    )


def publish_body(
    revision: Revision, solution: str = SOLUTION, application: str = APPLICATION
) -> bytes:
    """Return the body of the POST that publishes a revision (contract 3.2)."""
    return msgspec.json.encode(
        {
            "solution_id": solution,
            "batch_id": revision.identity,
            "source": "sp500",
            "changes": [_published(change, application) for change in revision.changes],
        }
    )


def _published(change: SourceChange, application: str) -> dict[str, object]:
    published: dict[str, object] = {
        "kind": _KINDS[change.op],
        "application_id": application,
        "record_id": change.key,
        "at": change.at,
    }
    if change.after is not None:
        published["data"] = change.after
    if change.before is not None:
        published["before"] = change.before
    return published


def idempotency_key(revision: Revision) -> str:
    """Return the key under which a revision is published, however often it is sent."""
    return f"sp500-{revision.number}-{revision.identity}"


def table_after(revisions: Iterable[Revision]) -> Table:
    """Return the table as the source has it after these revisions."""
    table: Table = {}
    for revision in revisions:
        for change in revision.changes:
            if change.after is None:
                table.pop(change.key, None)
            else:
                table[change.key] = change.after
    return table


def differences(source: Table, rebuilt: Table) -> list[str]:
    """Compare two tables record by record; return a sentence for each that differs."""
    found: list[str] = []
    for key in sorted(source.keys() | rebuilt.keys()):
        if key not in rebuilt:
            found.append(f"{key} is missing")
        elif key not in source:
            found.append(f"{key} should be gone")
        elif source[key] != rebuilt[key]:
            found.append(f"{key} is {rebuilt[key]}, and should be {source[key]}")
    return found
