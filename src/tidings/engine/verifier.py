"""Challenging an endpoint while the request that enables its webhook waits (contract 2.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tidings import telemetry
from tidings.domain.buckets import new_uuid
from tidings.domain.limits import (
    ACCOUNT_VERIFICATIONS,
    OVERLOADED_RETRY_SECONDS,
    VERIFICATIONS,
)
from tidings.domain.webhook import Webhook
from tidings.engine.challenging import challenge_attempt, challenge_request, why_failed
from tidings.errors import RateLimited, Unavailable
from tidings.ports import Clock, DispatchStore, Sender

_CHALLENGE_BYTES = 16
REFERENCE_BYTES = 5
"""Random bytes of a reference."""


class Verifier:
    """Sends challenges: so many at once, and of one account so many.

    Nobody waits for another's: what goes past is refused, to be sent again.
    """

    def __init__(
        self,
        sender: Sender,
        attempts: DispatchStore,
        clock: Clock,
        *,
        at_once: int = VERIFICATIONS,
        of_account: int = ACCOUNT_VERIFICATIONS,
    ) -> None:
        self._sender = sender
        self._attempts = attempts
        self._clock = clock
        self._at_once = at_once
        self._of_account = of_account
        self._in_flight: Counter[str] = Counter()

    async def verify(self, webhook: Webhook, url: str) -> str | None:
        """Challenge `url`; return None where it passed, else why not, for the owner.

        Within CHALLENGE_SECONDS. Raises RateLimited where the account has too many under way, and
        Unavailable where all have.
        """
        with self._room(webhook.account):
            challenge = new_uuid(self._clock.entropy(_CHALLENGE_BYTES))
            at = self._clock.now()
            outcome = await self._sender.send(challenge_request(webhook, url, challenge))
        await self._attempts.add_attempts([challenge_attempt(webhook, challenge, at, outcome)])
        failure = why_failed(outcome, challenge)
        if failure is None:
            return None
        reference = reference_id(self._clock.entropy(REFERENCE_BYTES))
        telemetry.logger().info(
            telemetry.CHALLENGE_FAILED,
            webhook_id=webhook.webhook_id,
            status=outcome.status,
            ref_id=reference,
        )
        return f"{failure} (ref id: {reference})"

    @contextmanager
    def _room(self, account: str) -> Iterator[None]:
        if self._in_flight[account] >= self._of_account:
            raise RateLimited(
                f"{self._of_account} endpoints of this account are being challenged; send it again",
                retry_after_seconds=OVERLOADED_RETRY_SECONDS,
            )
        if self._in_flight.total() >= self._at_once:
            raise Unavailable(
                "too many endpoints are being challenged; send it again",
                retry_after_seconds=OVERLOADED_RETRY_SECONDS,
            )
        self._in_flight[account] += 1
        try:
            yield
        finally:
            self._in_flight[account] -= 1
            if not self._in_flight[account]:
                del self._in_flight[account]


def reference_id(entropy: bytes) -> str:
    """Return a short name by which a line of the log is found: lower-case letters and digits."""
    number, digits = int.from_bytes(entropy), ""
    while number:
        number, digit = divmod(number, 36)
        digits += "0123456789abcdefghijklmnopqrstuvwxyz"[digit]
    return digits.ljust(1, "0")
