"""Changes as they are published, and what callbacks read of them in the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tidings.domain.event import SEED_BYTES, Batch, batch_entries, made_ids
from tidings.domain.log_entry import CallbackEntry
from tidings.domain.publication import judge_changes, read_publication

NOW = "2026-03-01T12:00:00.250Z"


def entries_of(changes: Sequence[dict[str, Any]], first: int = 1) -> list[CallbackEntry]:
    """Return the log's entries of a publish, from the position `first` on."""
    body = msgspec.json.encode({"solution_id": "sheets", "changes": changes})
    judged = judge_changes(read_publication(body).changes, NOW)
    batch = Batch(account="acme", solution="sheets", batch_id="b")
    made = batch_entries(batch, judged, made_ids(bytes(SEED_BYTES), len(judged)))
    return [
        CallbackEntry(
            position=position,
            kind=entry.kind,
            subject=entry.subject,
            changed=entry.changed,
            by=entry.by,
            change_agent=entry.change_agent,
            body=entry.body,
        )
        for position, entry in enumerate(made, start=first)
    ]


def entry_of(change: dict[str, Any]) -> CallbackEntry:
    """Return the entry of one change."""
    (entry,) = entries_of([change])
    return entry
