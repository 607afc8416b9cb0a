"""A key that scans for nothing, as often as it may: others are served as before (mechanics P5).

Real time, since what is shared is threads. "As before" means here that a page of another account
is answered before the scans that stand in line ahead of it, which all together take longer.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.installation import Installation
from tidings.domain import limits
from tidings.domain.filter import field_mask
from tidings.domain.instants import format_instant
from tidings.domain.key import Role

pytestmark = pytest.mark.anyio

ROWS, BATCH = 60_000, 10_000
KEYS, SCANS = 4, 16


def twins() -> tuple[str, str]:
    """Return two field names of one mask, so that every row has to be judged by its exact names."""
    seen: dict[int, str] = {}
    for number in range(1_000):
        name = f"field-{number}"
        twin = seen.setdefault(field_mask([name]), name)
        if twin != name:
            return twin, name
    raise AssertionError("a mask of 64 bits has no twins among 1,000 names")


async def attack(installation: Installation) -> list[asyncio.Task[Any]]:
    """Begin scans of a log in which nothing matches, with several keys of one account."""
    changed, watched = twins()
    began_at = installation.clock.now()
    for _ in range(ROWS // BATCH):
        await installation.publish(BATCH, account="loud", changed=[changed])
    keys = [
        await installation.new_key("loud", Role.SUBSCRIBER, f"scanner {number}")
        for number in range(KEYS)
    ]
    webhook = await installation.new_webhook(
        key=keys[0],
        start_at=format_instant(began_at),
        kinds=["RECORD_CREATED", "RECORD_UPDATED"],
        filter={"application": {"application_id": "app-1", "field_ids": [watched]}},
    )
    wish = {"webhook_id": webhook["webhook_id"], "page_size": 1_000}
    return [
        asyncio.create_task(installation.post("ListEvents", wish, key=keys[number % KEYS]))
        for number in range(SCANS)
    ]


async def test_pages_of_others_are_answered_while_a_key_scans_for_nothing(
    on_real_time: Installation,
) -> None:
    installation = on_real_time
    webhook = await installation.new_webhook()
    await installation.publish(200)
    wish = {"webhook_id": webhook["webhook_id"], "page_size": 200}
    scans = await attack(installation)
    await asyncio.sleep(0)
    standing = []
    for _ in range(3):
        page = await installation.call("ListEvents", wish)
        assert len(page["events"]) == 200
        standing.append(sum(not scan.done() for scan in scans))
    # One scan at a time, of the whole account: most of them still stand in line.
    assert standing[-1] >= SCANS // 2
    answers = [(await scan).json() for scan in scans]
    assert all(answer["events"] == [] for answer in answers)


async def test_a_scan_ends_with_its_budget_and_says_that_there_is_more(
    on_real_time: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the token has moved on, so that no stretch is scanned twice."""
    monkeypatch.setattr("tidings.engine.listing.SCAN_BUDGET_SECONDS", 0.0)
    monkeypatch.setattr(limits, "SCAN_SLICE_SECONDS", 0.01)
    scans = await attack(on_real_time)
    first, *_ = [(await scan).json() for scan in scans]
    assert first["events"] == []
    assert first["has_more"]
    assert int(first["next_page_token"]) > 0
