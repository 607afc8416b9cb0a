"""Faults that the mechanics warn of, in the log, its pages and the clock: each to be planted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from tidings.domain import difference, sweep
from tidings.domain import filter as domain_filter
from tidings.domain.buckets import bucket_of
from tidings.domain.log_entry import Append, Page, PageQuery, Receipt
from tidings.domain.positions import PER_MILLISECOND, position_at
from tidings.domain.webhook import Webhook
from tidings.engine import listing, publish
from tidings.engine.matching import Tail
from tidings.engine.publish import Publisher
from tidings.engine.reads import Reads
from tidings.engine.sweeper import Sweeper
from tidings.errors import InvalidArgument
from tidings.storage.clock_bound import ClockBound
from tidings.storage.sqlite import (
    appends,
    lifecycle_store,
    page_scan,
    transaction,
    writer,
)
from tidings.storage.sqlite.change_log import SqliteChangeLog
from tidings.storage.sqlite.lifecycle_time import lag_ms
from tidings.storage.sqlite.retention_store import SqliteRetentionStore
from tidings.storage.sqlite.webhook_store import SqliteWebhookStore
from tidings.storage.sqlite.writer import Writer

Plant = pytest.MonkeyPatch


def salted_buckets(plant: Plant) -> None:
    """L1: a hash that is another in each process, as Python's own is."""
    began, lives = Publisher.__init__, iter(range(10**9))

    def begin(self: Publisher, *given: Any) -> None:
        began(self, *given)
        life = next(lives)
        plant.setattr(publish, "bucket_of", lambda *of: (bucket_of(*of) + life) % 256)

    plant.setattr(Publisher, "__init__", begin)


def positions_by_the_clock_alone(plant: Plant) -> None:
    """L2: a place that doesn't follow the last one where the clock has stepped back."""
    count = iter(range(10**9))

    def place(last: int, now_ms: int) -> int:
        return now_ms * PER_MILLISECOND + 3 * next(count) % PER_MILLISECOND

    plant.setattr(transaction, "next_position", place)


def answered_and_not_appended(plant: Plant) -> None:
    """L3: a publish that is answered before all of it is in the log."""
    append = SqliteChangeLog.append

    async def hasty(self: SqliteChangeLog, wish: Append) -> Receipt:
        receipt = await append(self, wish)
        return replace(receipt, last_position=(receipt.last_position or 0) + 1)

    plant.setattr(SqliteChangeLog, "append", hasty)


def failed_and_answered(plant: Plant) -> None:
    """L3: a group whose commit failed, and whose members are answered all the same."""
    fail_all = Writer._fail_all

    def forget(self: Writer, group: Sequence[Any], error: Exception) -> None:
        fail_all(self, group, error)
        for waiting in group:
            waiting.error = None if waiting.value is not None else waiting.error

    plant.setattr(Writer, "_fail_all", forget)


def keys_looked_up_before(plant: Plant) -> None:
    """L4: looking first and appending after races."""
    append, find = SqliteChangeLog.append, appends._find_earlier

    async def look_first(self: SqliteChangeLog, wish: Append) -> Receipt:
        reader = self._readers.at_once(lambda connection: connection)
        seen: Any = type("Seen", (), {"connection": reader, "now_ms": 0})
        return find(seen, wish) or await append(self, wish)

    plant.setattr(SqliteChangeLog, "append", look_first)
    plant.setattr(appends, "_find_earlier", lambda *given: None)
    plant.setattr(writer, "append_together", partial(_refuse))


def _refuse(*given: Any, **named: Any) -> Any:
    raise appends.KeysRepeated


def keys_in_memory(plant: Plant) -> None:
    """L4: keys that a process remembers, and the next one doesn't."""
    began, find = Publisher.__init__, appends._find_earlier
    known: set[str] = set()

    def begin(self: Publisher, *given: Any) -> None:
        began(self, *given)
        known.clear()

    def find_known(at: Any, wish: Append) -> Receipt | None:
        earlier = find(at, wish) if wish.key in known else None
        known.add(wish.key)
        return earlier

    plant.setattr(Publisher, "__init__", begin)
    plant.setattr(appends, "_find_earlier", find_known)
    plant.setattr(writer, "append_together", partial(_refuse))


def values_as_python_compares(plant: Plant) -> None:
    """L5: numbers as floats, and true as 1."""
    plant.setattr(
        difference,
        "same_value",
        lambda one, other: json.loads(bytes(one)) == json.loads(bytes(other)),
    )


def todays_filter_for_all(plant: Plant) -> None:
    """L7: yesterday's changes by today's filter."""
    cut = domain_filter.spans
    plant.setattr(page_scan, "spans", lambda revisions, *given: cut(revisions[-1:], *given))


def hints_over_a_gap(plant: Plant) -> None:
    """L7: a hint that is believed though it doesn't join on to the tail."""
    joined = Tail._joined_hints

    def believe(self: Tail) -> Any:
        for hint in reversed(self._hints):
            self.positions[hint.bucket] = hint.previous
        return joined(self)

    plant.setattr(Tail, "_joined_hints", believe)


def downtime_counts(plant: Plant) -> None:
    """L8: an engine that was down deletes what nobody could list."""
    plant.setattr(sweep, "pause_before", lambda time: timedelta(0))


def every_clock_is_believed(plant: Plant) -> None:
    """L8: sweeps and appends go by a clock that has run weeks ahead."""
    plant.setattr(ClockBound, "is_passed", lambda self, now: False)
    plant.setattr(Sweeper, "_is_ahead", lambda self, now, monotonic: False)


# --- pages ----------------------------------------------------------------------------------------


def _pages(plant: Plant, change: Callable[[Page], Page]) -> None:
    read_page = SqliteChangeLog.read_page

    async def changed(self: SqliteChangeLog, query: PageQuery) -> Page:
        return change(await read_page(self, query))

    plant.setattr(SqliteChangeLog, "read_page", changed)


def rows_in_another_order(plant: Plant) -> None:
    """L2: rows that don't come in the order of their commits."""
    _pages(plant, lambda page: replace(page, entries=page.entries[::-1]))


def token_of_another_snapshot(plant: Plant) -> None:
    """P1: rows first and the head after, so that the token knows more than the rows."""
    count = iter(range(10**9))

    def cut(page: Page) -> Page:
        return replace(page, entries=page.entries[:-1]) if next(count) % 5 == 0 else page

    _pages(plant, cut)


def quiet_tokens_of_the_present(plant: Plant) -> None:
    """P2: an empty page's token is the present, past which an append may still be placed."""
    plant.setattr(
        listing,
        "next_position",
        lambda page: page.end if page.entries else max(page.end, position_at(page.read_at)),
    )


def tokens_refused(plant: Plant) -> None:
    """P3: a clock that stepped back refuses the tokens that were given before."""

    def check(token: int, *, now: Any, last_position: int) -> None:
        if token > position_at(now):
            raise InvalidArgument("page_token", "page_token lies in the future")

    plant.setattr(listing, "check_not_ahead", check)


def begun_by_the_clock(plant: Plant) -> None:
    """P4: a webhook that begins at a time, though the clock has stepped back since the last."""
    create = SqliteWebhookStore.create

    async def hasty(self: SqliteWebhookStore, webhook: Webhook, **named: Any) -> Webhook:
        return await create(self, webhook, **{**named, "start_at": webhook.created.at})

    plant.setattr(SqliteWebhookStore, "create", hasty)


def stepped_without_a_look(plant: Plant) -> None:
    """P7: a sweep that goes by what was due, whoever listed since then."""

    def step(at: Any, *, step: Any, limit: int) -> Any:
        now = at.now_ms - lag_ms(at)
        wish = (step.leaves.value, now, limit)
        due = at.connection.execute(lifecycle_store._SQL["due"], wish).fetchall()
        moved = [lifecycle_store._take(at, step, bucket, of) for bucket, of, _ in due]
        return sweep.MoveBatch(tuple(moved), more=False)

    plant.setattr(lifecycle_store, "_step", step)


def reads_dropped(plant: Plant) -> None:
    """P7: what was gathered of reads is lost when it is to be written."""

    async def drop(self: Reads) -> float:
        self._notes.clear()
        return 1.0

    plant.setattr(Reads, "run_once", drop)


# --- what is kept ---------------------------------------------------------------------------------


def nothing_collected_while_off(plant: Plant) -> None:
    """7: a webhook that covers nothing while its pings are off."""
    update = SqliteWebhookStore.update
    kinds: dict[str, Any] = {}

    async def empty(self: SqliteWebhookStore, webhook: Webhook, **named: Any) -> Webhook:
        wanted = kinds.setdefault(webhook.webhook_id, webhook.kinds)
        on = webhook.notifications.enabled
        return await update(self, replace(webhook, kinds=wanted if on else ()), **named)

    plant.setattr(SqliteWebhookStore, "update", empty)


def _kept(plant: Plant, name: str) -> None:
    async def none(self: SqliteRetentionStore, *given: Any) -> int:
        return 0

    plant.setattr(SqliteRetentionStore, name, none)


def entries_kept(plant: Plant) -> None:
    """12: a log that grows for ever."""
    _kept(plant, "drop_entries")


def attempts_kept(plant: Plant) -> None:
    """12: attempts that nobody looks at any more."""
    _kept(plant, "drop_attempts")


def keys_kept(plant: Plant) -> None:
    """12: keys that nobody uses again."""
    _kept(plant, "drop_idempotency_keys")
