"""Faults that the mechanics warn of, in what is pinged and when, and in who sees what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from tidings import telemetry
from tidings.api import metering
from tidings.domain import limits
from tidings.domain.dispatch import Tracked
from tidings.domain.retry import wait_before_retry
from tidings.domain.webhook import Webhook
from tidings.engine import debts, owing, pinging, reminding
from tidings.engine.pace import KeyPace
from tidings.engine.publish import Publisher
from tidings.engine.rate_limit import Quota, RateLimit
from tidings.engine.slots import Slots
from tidings.engine.subscriptions import Subscription, Subscriptions
from tidings.storage.sqlite.dispatch_store import SqliteDispatchStore
from tidings.storage.sqlite.webhook_store import SqliteWebhookStore

Plant = pytest.MonkeyPatch
_Rows = Mapping[str, Webhook]


def checkpoint_before_the_debts(plant: Plant) -> None:
    """D1: a checkpoint in a transaction of its own, and what it leaves behind in the next."""
    settle = SqliteDispatchStore.settle
    late: list[Any] = []

    async def early(self: SqliteDispatchStore, settlements: Sequence[Any]) -> frozenset[int]:
        rest, late[:] = [*late], [one for one in settlements if one.states or one.debts]
        bare = [replace(one, states=(), debts=()) for one in settlements]
        return await settle(self, [*rest, *bare])

    plant.setattr(SqliteDispatchStore, "settle", early)
    plant.setattr(debts, "held_from", lambda subscription: None)


def not_matched_while_off(plant: Plant) -> None:
    """D1: `matched` stands still while pings are off, so nobody knows later what is unread."""
    match = owing.match

    def only_on(subscription: Subscription, *given: Any) -> bool:
        return subscription.enabled and match(subscription, *given)

    plant.setattr(owing, "match", only_on)


def no_follow_up(plant: Plant) -> None:
    """D1: a page that leaves more behind, and no ping after it."""
    note_read = owing.note_read

    def forget(subscription: Subscription, *given: Any) -> bool:
        changed = note_read(subscription, *given)
        subscription.follow_up_at = None
        return changed

    plant.setattr(owing, "note_read", forget)


def a_success_pays_all(plant: Plant) -> None:
    """D2: a success that deletes a debt to which something was added meanwhile."""
    acknowledged = owing.acknowledged

    def forget(subscription: Subscription, *given: Any) -> None:
        acknowledged(subscription, *given)
        subscription.debt = None

    plant.setattr(owing, "acknowledged", forget)


def one_name_for_more_coverage(plant: Plant) -> None:
    """D3: receivers drop an id that they have seen, and with it the news."""
    plant.setattr(pinging, "notification_id", lambda ping: f"{ping.webhook_id}.1")


def no_pace(plant: Plant) -> None:
    """D4: pings as fast as changes come."""
    plant.setattr(limits, "WEBHOOK_PING_SECONDS", 0.0)


def no_pace_of_a_key(plant: Plant) -> None:
    """D4: our own pings drive a client into its penalty."""
    plant.setattr(KeyPace, "next_start", lambda self, key_id, now: now)


def no_cap_of_a_host(plant: Plant) -> None:
    """D7: one host takes all the slots of its account."""
    plant.setattr(Slots, "host_has_room", lambda self, account, origin: True)


def no_cap_of_an_account(plant: Plant) -> None:
    """D7: a cap by host alone, and an account with a host for each webhook."""
    plant.setattr(Slots, "account_has_room", lambda self, account, *, slow: True)


def never_given_up(plant: Plant) -> None:
    """Contract 1.6: pinged for ever, once an hour."""
    _waiting(plant, lambda wait: 3_600.0 if wait is None else wait)


def retried_too_soon(plant: Plant) -> None:
    """Contract 1.6: half of each wait."""
    _waiting(plant, lambda wait: None if wait is None else wait / 2)


def _waiting(plant: Plant, change: Callable[[float | None], float | None]) -> None:
    def wait(*given: Any, **named: Any) -> float | None:
        return change(wait_before_retry(*given, **named))

    plant.setattr(owing, "wait_before_retry", wait)


def news_begin_the_schedule_anew(plant: Plant) -> None:
    """Contract 1.6: a change that matches a debt makes it due at once."""
    match = owing.match

    def hurry(subscription: Subscription, position: int, scope: Any, now: float) -> bool:
        matched = match(subscription, position, scope, now)
        if subscription.debt is not None:
            subscription.debt_due = now
        return matched or subscription.debt is not None

    plant.setattr(owing, "match", hurry)


def never_reminded(plant: Plant) -> None:
    """Contract 1.6: a ping that was acknowledged and forgotten is the last."""
    plant.setattr(reminding, "wait_before_reminder", lambda reminders: 1e9)


def reminded_without_end(plant: Plant) -> None:
    """Contract 1.6: a ladder that is never climbed."""
    plant.setattr(reminding, "wait_before_reminder", lambda reminders: 60.0)


def pinged_while_off(plant: Plant) -> None:
    """4: nobody looks at the switch, neither when it matches nor when it sends."""
    current, put = SqliteWebhookStore.current, Subscriptions.put

    async def all_on(self: SqliteWebhookStore, wanted: Mapping[int, Sequence[str]]) -> _Rows:
        rows = await current(self, wanted)
        return {webhook_id: _switched_on(row) for webhook_id, row in rows.items()}

    def put_on(self: Subscriptions, tracked: Tracked) -> Subscription:
        return put(self, replace(tracked, enabled=True))

    plant.setattr(SqliteWebhookStore, "current", all_on)
    plant.setattr(Subscriptions, "put", put_on)


def _switched_on(row: Webhook) -> Webhook:
    return replace(
        row, notifications=replace(row.notifications, enabled=True, url="https://elsewhere/")
    )


def pinged_before_the_commit(plant: Plant) -> None:
    """5: a ping that tells of what no reader can see yet."""
    take_off = owing.take_off

    def ahead(*given: Any) -> Any:
        flight = take_off(*given)
        flight.covered += 1
        return flight

    plant.setattr(owing, "take_off", ahead)


def two_in_flight(plant: Plant) -> None:
    """6: news let the attempt that is under way be forgotten."""
    match = owing.match

    def forget(subscription: Subscription, *given: Any) -> bool:
        subscription.flight = None
        return match(subscription, *given)

    plant.setattr(owing, "match", forget)


def a_penalty_of_29_s(plant: Plant) -> None:
    """8: served a second too soon."""
    plant.setattr(metering, "PENALTY_SECONDS", 29.0)


def a_penalty_that_grows(plant: Plant) -> None:
    """8: who asks during the penalty waits the longer for it."""
    take = RateLimit.take

    def lengthen(self: RateLimit, key_id: str, now_ms: int) -> Quota:
        quota = take(self, key_id, now_ms)
        if quota.retry_after_ms:
            self._penalties[key_id] = now_ms + self._penalty_ms
        return quota

    plant.setattr(RateLimit, "take", lengthen)


class _Anyone(str):
    """An account that equals every other."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


def nobody_compares_accounts(plant: Plant) -> None:
    """T1: whoever knows a webhook's id is answered."""
    get, tracked = SqliteWebhookStore.get, SqliteWebhookStore.tracked

    def for_anyone(find: Callable[..., Any]) -> Callable[..., Any]:
        async def found(*given: Any) -> Any:
            row = await find(*given)
            return row and replace(row, account=_Anyone(row.account))

        return found

    plant.setattr(SqliteWebhookStore, "get", for_anyone(get))
    plant.setattr(SqliteWebhookStore, "tracked", for_anyone(tracked))


def values_in_the_log(plant: Plant) -> None:
    """9: a log line with what was published."""
    publish = Publisher.publish

    async def tell(self: Publisher, account: str, body: bytes, key: str | None) -> Any:
        telemetry.logger().debug("published", account=account, body=body)
        return await publish(self, account, body, key)

    plant.setattr(Publisher, "publish", tell)


def webhooks_stay_in_memory(plant: Plant) -> None:
    """12: a deleted webhook that the dispatcher goes on holding."""
    plant.setattr(Subscriptions, "remove", Subscriptions.get)
