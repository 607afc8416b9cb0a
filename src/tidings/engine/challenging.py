"""A challenge as one request to send, and what its outcome means (contract 2.4). Pure."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from tidings.domain.callback import callback_headers
from tidings.domain.challenge import CHALLENGE_HEADER, challenge_body, why_refused
from tidings.domain.dispatch import Attempt
from tidings.domain.limits import CHALLENGE_SECONDS, ERROR_LENGTH
from tidings.domain.webhook import Webhook
from tidings.ports import SendOutcome, SendRequest


def challenge_request(webhook: Webhook, url: str, challenge: str) -> SendRequest:
    """Return the signed request that challenges `url` to show that it wants the callbacks.

    `challenge` is a value that nobody can guess, as its text.
    """
    body = challenge_body(challenge, int(webhook.webhook_id))
    headers = callback_headers(webhook.webhook_id, webhook.secret, body)
    return SendRequest(
        account=webhook.account,
        url=url,
        headers=[*headers, (CHALLENGE_HEADER, challenge)],
        body=body,
        deadline_seconds=CHALLENGE_SECONDS,
    )


def why_failed(outcome: SendOutcome, challenge: str) -> str | None:
    """Return why a challenge wasn't passed, in a sentence for the owner; None: it was.

    An answer of 200 that was still coming at the deadline has not answered in time.
    """
    status = outcome.status
    if status is None or (status == HTTPStatus.OK and outcome.error is not None):
        return (outcome.error or "The endpoint did not answer")[:ERROR_LENGTH]
    return why_refused(challenge, status, outcome.headers, outcome.body)


def challenge_attempt(
    webhook: Webhook, challenge: str, at: datetime, outcome: SendOutcome
) -> Attempt:
    """Return the line of the log of attempts."""
    return Attempt(
        bucket=webhook.bucket,
        webhook_id=webhook.webhook_id,
        attempted_at=at,
        notification_id=f"{webhook.webhook_id}.challenge.{challenge}",
        covered=0,
        status=outcome.status,
        error=why_failed(outcome, challenge),
        elapsed_ms=round(outcome.elapsed_seconds * 1000),
    )
