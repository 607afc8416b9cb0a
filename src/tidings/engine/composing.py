"""Composing what callback webhooks are sent (contract 2.4, 2.5; mechanics D5).

A callback is written down as its webhook's cursor before it is sent for the first time: from then
on its nonce and its bytes are a function of that row and the log, whoever sends it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from tidings import telemetry
from tidings.domain import limits
from tidings.domain.buckets import new_uuid
from tidings.domain.callback import (
    callback_body,
    callback_headers,
    events_between,
    status_body,
    status_nonce,
)
from tidings.domain.dispatch import PendingCallback, Place
from tidings.domain.instants import format_instant
from tidings.domain.log_entry import CallbackEntries, CallbackQuery
from tidings.domain.positions import instant_of
from tidings.domain.sheet_standing import sheet_of
from tidings.domain.webhook import Webhook
from tidings.engine import calling
from tidings.engine.call_answers import move_on
from tidings.engine.calls import calls_of, waits
from tidings.engine.challenging import challenge_request
from tidings.engine.cursors import CursorWriter
from tidings.engine.departure import Departure
from tidings.engine.flight import Call, Errand
from tidings.engine.gathering import Gathering
from tidings.engine.subscriptions import Subscription
from tidings.errors import TidingsError
from tidings.ports import ChangeLog, Clock, SendRequest

_NONCE_BYTES = 16
_NONE = msgspec.Raw(b"[]")


class Composer:
    """Makes calls into requests. `tails` is up to where each bucket's log has been matched."""

    def __init__(
        self,
        log: ChangeLog,
        clock: Clock,
        cursors: CursorWriter,
        tails: Mapping[int, int],
        *,
        on_touched: Callable[[Subscription], None],
        on_expired: Callable[[Subscription], None],
    ) -> None:
        self._log = log
        self._gathering = Gathering(log, clock)
        self._clock = clock
        self._cursors = cursors
        self._tails = tails
        self._on_touched = on_touched
        self._on_expired = on_expired

    async def compose(
        self, subscription: Subscription, webhook: Webhook, call: Call
    ) -> Departure | None:
        """Return what a call carries; None where nothing is left to send, or it must wait.

        No fault of ours counts as one of the endpoint's: it is logged, and tried again.
        """
        try:
            match call.errand:
                case Errand.CHALLENGE:
                    return self._challenge(webhook, call)
                case Errand.STATUS:
                    return self._status(webhook, call)
                case Errand.EVENTS:
                    return await self._events(subscription, webhook, call)
        except TidingsError as error:
            telemetry.logger().warning(
                telemetry.WORKER_FAILED, worker="callbacks", error=error.message
            )
        except Exception:  # noqa: BLE001 - logged; one webhook's fault must not stop the others
            telemetry.logger().exception(telemetry.WORKER_FAILED, worker="callbacks")
        calling.hindered(subscription, self._clock.monotonic())
        return None

    def _challenge(self, webhook: Webhook, call: Call) -> Departure:
        call.challenge = new_uuid(self._clock.entropy(_NONCE_BYTES))
        request = challenge_request(webhook, webhook.notifications.url or "", call.challenge)
        identity = f"{webhook.webhook_id}.challenge.{call.challenge}"
        return self._departure(webhook, call, request, identity, covered=0)

    def _status(self, webhook: Webhook, call: Call) -> Departure:
        sheet = sheet_of(webhook)
        body = status_body(webhook.webhook_id, sheet)
        identity = status_nonce(webhook.webhook_id, sheet)
        return self._departure(webhook, call, _request(webhook, body), identity, covered=0)

    async def _events(
        self, subscription: Subscription, webhook: Webhook, call: Call
    ) -> Departure | None:
        calls = calls_of(subscription)
        events = await self._pending_events(subscription)
        if events is None:
            events = await self._gathered_events(subscription, call)
        pending = calls.cursor.pending
        if pending is None:
            subscription.debt = None  # what it stood for was dropped by retention
            self._on_touched(subscription)
            return None
        if not await self._is_durable(subscription, pending):
            return None
        body = callback_body(webhook.webhook_id, sheet_of(webhook), pending, events)
        request = _request(webhook, body)
        return self._departure(webhook, call, request, pending.nonce, pending.last_position)

    async def _pending_events(self, subscription: Subscription) -> msgspec.Raw | None:
        """Return the events of the callback that is pending; None where they are to be gathered."""
        calls = calls_of(subscription)
        pending = calls.cursor.pending
        if pending is None:
            return None
        entries: list[CallbackEntries] = []
        after = pending.begins.position - 1
        while after < pending.last_position:
            query = _query(subscription, after, pending.last_position)
            entries.append(await self._log.read_callback(query))
            after = entries[-1].end
        if entries and entries[-1].floor >= pending.begins.position:
            # Its bytes can't be made any more: what is left goes under a nonce of its own.
            calls.cursor = replace(calls.cursor, pending=None)
            return None
        found = [entry for part in entries for entry in part.entries]
        events = events_between(found, calls.columns, pending.begins, pending.ends)
        return msgspec.Raw(msgspec.json.encode(events))

    async def _gathered_events(self, subscription: Subscription, call: Call) -> msgspec.Raw:
        """Make what waits the pending callback; return its events, none where nothing is left."""
        calls = calls_of(subscription)
        while True:
            asked = calls.cursor.acked
            until = subscription.matched
            if subscription.matched_unsure:
                until = max(until, self._tails.get(subscription.bucket, 0))
            if until < asked.position:
                subscription.matched_unsure = False
                return _NONE
            query = _query(subscription, asked.position - 1, until)
            batch = await self._gathering.next_batch(query, calls.columns, asked)
            if batch.begins != asked:
                self._say_expired(subscription, asked, batch.floor)
                self._pass_over(subscription, asked, batch.begins)
            if batch.ends.position > until:
                subscription.matched_unsure = False
                subscription.matched = max(subscription.matched, until)
            if not batch.empty:
                call.covered = until
                pending = PendingCallback(
                    begins=batch.begins,
                    ends=batch.ends,
                    nonce=new_uuid(self._clock.entropy(_NONCE_BYTES)),
                    built_at=self._clock.now(),
                )
                calls.cursor = replace(calls.cursor, pending=pending)
                return batch.events
            self._pass_over(subscription, batch.begins, batch.ends)

    def _pass_over(self, subscription: Subscription, begins: Place, ends: Place) -> None:
        """Let the cursors move behind what is no event, or is there no more."""
        move_on(subscription, begins, ends)
        for one in calls_of(subscription).alike:
            self._on_touched(one)

    async def _is_durable(self, subscription: Subscription, pending: PendingCallback) -> bool:
        """Write the cursor with its pending callback, if it isn't, before anything is sent (D5).

        With those of the webhooks that are called by it, so that they move in one transaction.
        False where the bucket is another holder's by now.
        """
        written = subscription.written
        if written is not None and written.cursor and written.cursor.pending == pending:
            return True
        return await self._cursors.write(subscription.bucket, calls_of(subscription).alike)

    def _say_expired(self, subscription: Subscription, begins: Place, floor: int) -> None:
        """Say what is lost: where something waited, the cursor stood before the first of it."""
        if not waits(subscription):
            return
        since, until = (format_instant(instant_of(at)) for at in (begins.position, floor))
        telemetry.logger().warning(
            telemetry.CALLBACK_EXPIRED,
            webhook_id=subscription.webhook_id,
            since=since,
            until=until,
        )
        told = f"Events from {since} to {until} are over {limits.LOG_DAYS} days old, and gone"
        calls_of(subscription).expired = told
        self._on_expired(subscription)

    def _departure(
        self, webhook: Webhook, call: Call, request: SendRequest, identity: str, covered: int
    ) -> Departure:
        call.sent_at = self._clock.now()
        return Departure(
            bucket=webhook.bucket,
            webhook_id=webhook.webhook_id,
            revision=webhook.revision,
            request=request,
            identity=identity,
            covered=covered,
            at=call.sent_at,
        )


def _request(webhook: Webhook, body: bytes) -> SendRequest:
    return SendRequest(
        account=webhook.account,
        url=webhook.notifications.url or "",
        headers=callback_headers(webhook.webhook_id, webhook.secret, body),
        body=body,
        deadline_seconds=limits.SEND_SECONDS,
    )


def _query(subscription: Subscription, after: int, until: int) -> CallbackQuery:
    return CallbackQuery(
        bucket=subscription.bucket,
        account=subscription.account,
        solution=subscription.solution,
        after=after,
        until=until,
        # From wherever it holds, so that those of one sheet ask the same.
        revision=replace(subscription.revisions[-1], from_position=0),
        limit=limits.CALLBACK_ENTRIES,
        max_bytes=limits.CALLBACK_BYTES,
    )
