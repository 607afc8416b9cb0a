"""A ping as one request to send, and what its outcome means. Pure (contract 1.6)."""

from __future__ import annotations

from datetime import datetime

from tidings.domain import limits
from tidings.domain.dispatch import Attempt
from tidings.domain.lifecycle import NOTIFIED
from tidings.domain.notification import (
    UNKNOWN_SCOPE,
    Ping,
    notification_id,
    ping_body,
    signed_headers,
)
from tidings.domain.webhook import Webhook, signing_secrets
from tidings.engine import notices
from tidings.engine.departure import Departure
from tidings.engine.flight import Flight
from tidings.ports import SendOutcome, SendRequest

_GONE = 410


def ping_of(webhook: Webhook, flight: Flight) -> Ping:
    """Return the ping that a flight carries."""
    return Ping(
        webhook_id=webhook.webhook_id,
        account=webhook.account,
        solution=webhook.solution,
        covered=flight.covered,
        reminder=flight.reminder,
        scope=flight.scope or UNKNOWN_SCOPE,
        # Of the row: its limit may have moved since (mechanics L8).
        notice=None if flight.notice is None else webhook.notice,
    )


def wanted(webhook: Webhook, flight: Flight) -> bool:
    """Whether a flight is still to be sent, by the row: judged when sending (contract 1.6, 1.7)."""
    if flight.notice is not None:
        return notices.stands(webhook, flight.notice)
    return webhook.notifications.enabled and webhook.stage in NOTIFIED


def request_of(webhook: Webhook, ping: Ping, at: datetime) -> SendRequest:
    """Return the signed request of a ping, sent at `at`."""
    body = ping_body(ping, at)
    return SendRequest(
        account=webhook.account,
        url=webhook.notifications.url or "",
        headers=signed_headers(notification_id(ping), body, signing_secrets(webhook, at), at),
        body=body,
        deadline_seconds=limits.SEND_SECONDS,
    )


def departure_of(webhook: Webhook, ping: Ping, at: datetime) -> Departure:
    """Return a ping as it leaves at `at`."""
    return Departure(
        bucket=webhook.bucket,
        webhook_id=webhook.webhook_id,
        revision=webhook.revision,
        request=request_of(webhook, ping, at),
        identity=notification_id(ping),
        covered=ping.covered,
        at=at,
    )


def attempt_of(departed: Departure, outcome: SendOutcome, *, took: bool) -> Attempt:
    """Return the line of the log of attempts; `took` says whether it was acknowledged."""
    return Attempt(
        bucket=departed.bucket,
        webhook_id=departed.webhook_id,
        attempted_at=departed.at,
        notification_id=departed.identity,
        covered=departed.covered,
        status=outcome.status,
        error=None if took else error_of(outcome),
        elapsed_ms=round(outcome.elapsed_seconds * 1000),
    )


def acknowledged(outcome: SendOutcome) -> bool:
    """Any 2xx within the deadline acknowledges a ping, also one whose body was cut off.

    A 2xx whose body still dripped at the deadline comes with an error: it took over 25 s in all.
    """
    return outcome.error is None and outcome.status is not None and 200 <= outcome.status < 300


def gone(outcome: SendOutcome) -> bool:
    """410: the endpoint says that it will never be there again (contract 1.6)."""
    return outcome.status == _GONE


def error_of(outcome: SendOutcome) -> str:
    """Return what a failed attempt's owner is told."""
    if outcome.error is not None:
        return outcome.error[: limits.ERROR_LENGTH]
    return f"the endpoint answered {outcome.status}"
