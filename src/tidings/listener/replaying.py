"""A record, played again: told, or sent to an endpoint in the order in which it came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from http import HTTPStatus

import msgspec

from tidings.domain import signing
from tidings.listener.delivery import Delivery, What, opened
from tidings.listener.passing import Target
from tidings.listener.record import Recorded
from tidings.ports import Clock
from tidings.receiver.decision import Rules, decide
from tidings.receiver.notification import Notification
from tidings.receiver.secrets import Secrets

_UNVERIFIED = Rules(secrets=None)
"""What is replayed was verified when it was recorded."""


async def replay(
    requests: Iterable[Recorded],
    clock: Clock,
    tell: Callable[[Delivery], None],
    *,
    target: Target | None,
    secrets: Secrets | None,
) -> int:
    """Tell each request, sent to `target` first if there is one; return how many it didn't take.

    With secrets, requests that were signed are signed again, as of now: a ping's signature has its
    time in it, and is too old after some minutes.
    """
    refused = 0
    for recorded in requests:
        delivery = described(recorded)
        if target is not None:
            request = recorded.request()
            body = request.body or b""
            headers = signed_again(request.headers, body, secrets, clock.now())
            passed_on = await target.pass_on(headers, body)
            refused += not passed_on.acknowledges(delivery.what)
            delivery = msgspec.structs.replace(delivery, passed_on=passed_on)
        tell(delivery)
    return refused


def described(recorded: Recorded) -> Delivery:
    """Return what a recorded request is."""
    verdict = decide(recorded.request(), _UNVERIFIED, recorded.at)
    if isinstance(verdict, Notification):
        what, events = opened(verdict)
        return Delivery(
            at=recorded.at,
            what=what,
            message_id=verdict.message_id.decode(errors="replace"),
            events=events,
            body=verdict.body,
        )
    if verdict.status == HTTPStatus.OK:
        return Delivery(at=recorded.at, what=What.CHALLENGE)
    return Delivery(at=recorded.at, what=What.REFUSED, why=verdict.body.decode().strip())


def signed_again(
    headers: Mapping[str, str], body: bytes, secrets: Secrets | None, now: datetime
) -> dict[str, str]:
    """Return a request's headers, with each signature that we have a secret for made anew.

    Of several secrets the first signs.
    """
    signed = dict(headers)
    if secrets is None:
        return signed
    if signing.CALLBACK_SIGNATURE.lower() in signed and secrets.callbacks:
        signature = signing.sign_callback(secrets.callbacks[0], body)
        signed[signing.CALLBACK_SIGNATURE.lower()] = signature
    if "webhook-signature" in signed and secrets.pings:
        seconds = int(now.timestamp())
        identity = signed.get("webhook-id", "")
        signed["webhook-timestamp"] = str(seconds)
        signed["webhook-signature"] = signing.sign(secrets.pings[0], identity, seconds, body)
    return signed
