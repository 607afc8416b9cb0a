"""Faults of the kinds that the mechanics warn of, each to be planted into a simulated month."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from tidings.domain.dispatch import Tracked
from tidings.domain.log_entry import Append, Page, PageQuery, Receipt
from tidings.domain.webhook import Webhook
from tidings.engine import owing, pinging
from tidings.engine.subscriptions import Subscription, Subscriptions
from tidings.storage.sqlite.change_log import SqliteChangeLog
from tidings.storage.sqlite.webhook_store import SqliteWebhookStore

Plant = pytest.MonkeyPatch


def answered_and_not_appended(plant: Plant) -> None:
    """L3: a publish that is answered before all of it is in the log."""
    append = SqliteChangeLog.append

    async def hasty(self: SqliteChangeLog, wish: Append) -> Receipt:
        receipt = await append(self, wish)
        return replace(receipt, last_position=(receipt.last_position or 0) + 1)

    plant.setattr(SqliteChangeLog, "append", hasty)


def _pages(plant: Plant, change: Callable[[Page], Page]) -> None:
    read_page = SqliteChangeLog.read_page

    async def changed(self: SqliteChangeLog, query: PageQuery) -> Page:
        return change(await read_page(self, query))

    plant.setattr(SqliteChangeLog, "read_page", changed)


def token_of_another_snapshot(plant: Plant) -> None:
    """P1: rows first and the head after, so that the token knows more than the rows."""

    count = iter(range(10**9))

    def cut(page: Page) -> Page:
        return replace(page, entries=page.entries[:-1]) if next(count) % 5 == 0 else page

    _pages(plant, cut)


def rows_in_another_order(plant: Plant) -> None:
    """L2: rows that don't come in the order of their commits."""
    _pages(plant, lambda page: replace(page, entries=page.entries[::-1]))


def pinged_while_off(plant: Plant) -> None:
    """4: nobody looks at the switch, neither when it matches nor when it sends."""
    current, put = SqliteWebhookStore.current, Subscriptions.put

    async def all_on(
        self: SqliteWebhookStore, bucket: int, webhook_ids: Sequence[str]
    ) -> Mapping[str, Webhook]:
        rows = await current(self, bucket, webhook_ids)
        return {
            webhook_id: replace(
                row, notifications=replace(row.notifications, enabled=True, url="https://x/")
            )
            for webhook_id, row in rows.items()
        }

    def put_on(self: Subscriptions, tracked: Tracked) -> Subscription:
        return put(self, replace(tracked, enabled=True))

    plant.setattr(SqliteWebhookStore, "current", all_on)
    plant.setattr(Subscriptions, "put", put_on)


def pinged_before_the_commit(plant: Plant) -> None:
    """5: a ping that tells of what no reader can see yet."""
    take_off = owing.take_off

    def ahead(*given: Any) -> Any:
        flight = take_off(*given)
        flight.covered += 1
        return flight

    plant.setattr(owing, "take_off", ahead)


def one_name_for_more_coverage(plant: Plant) -> None:
    """D3: receivers drop an id that they have seen, and with it the news."""
    plant.setattr(pinging, "notification_id", lambda ping: f"{ping.webhook_id}.1")


FAULTS: tuple[tuple[Callable[[Plant], None], str, int, int], ...] = (
    (answered_and_not_appended, "1", 1, 1),
    (token_of_another_snapshot, "2", 1, 1),
    (rows_in_another_order, "3", 1, 1),
    (pinged_while_off, "4", 1, 3),
    (pinged_before_the_commit, "5", 1, 1),
    (one_name_for_more_coverage, "6", 3, 1),
)
"""Each with the invariant that it breaks, and a seed and its days that bring it out."""
