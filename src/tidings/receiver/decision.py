"""Request in, verdict out: the order of contract 2.8, pure.

Size 413, challenge, signature 401, JSON 400. What is right becomes a Notification, which the
caller has to keep before it answers 200.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

import msgspec

from tidings.domain import limits, signing
from tidings.domain.challenge import (
    CHALLENGE_HEADER,
    RESPONSE_HEADER,
    challenge_answer,
    is_answerable,
)
from tidings.domain.instants import parse_instant
from tidings.domain.json_text import check_json_text
from tidings.errors import RequestError, SignatureMismatchError
from tidings.receiver.notification import Notification
from tidings.receiver.request import Answer, Request, refusal
from tidings.receiver.secrets import Secrets

ACKNOWLEDGED: Final = Answer(status=HTTPStatus.OK)
"""Kept: nothing else is to be said."""
UNAVAILABLE: Final = refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The inbox can't be written now.",
    ("Retry-After", str(limits.INBOX_RETRY_AFTER_SECONDS)),
)
"""Not kept: the sender has to send it again."""
SLOW: Final = refusal(HTTPStatus.REQUEST_TIMEOUT, "The body didn't come in time.")

_IDENTITY_BYTES: Final = 20
"""Small for an index of millions, and so many that nobody finds two that are alike."""
_CHALLENGE: Final = CHALLENGE_HEADER.lower()
_RESPONSE: Final = RESPONSE_HEADER
_CALLBACK_SIGNATURE: Final = signing.CALLBACK_SIGNATURE.lower()
_PING_SIGNATURE: Final = "webhook-signature"
_PING_ID: Final = "webhook-id"
_NOT_POST: Final = refusal(
    HTTPStatus.METHOD_NOT_ALLOWED, "Callbacks and pings are sent by POST.", ("Allow", "POST")
)
_TOO_LARGE: Final = refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large.")
_UNVERIFIED: Final = refusal(HTTPStatus.UNAUTHORIZED, "The signature is missing or wrong.")
_NOT_ANSWERABLE: Final = refusal(
    HTTPStatus.BAD_REQUEST, "The challenge is no short text of visible ASCII."
)
_NOT_JSON: Final = refusal(HTTPStatus.BAD_REQUEST, "The body is not JSON.")


_ABSENT: Final = msgspec.Raw()


class _Envelope(msgspec.Struct, frozen=True):
    """What of a body decides whether it is a repetition; anything may be missing."""

    nonce: Any = None
    webhookId: Any = None  # noqa: N815 - the contract's word
    timestamp: Any = None
    events: msgspec.Raw = _ABSENT
    newWebhookStatus: msgspec.Raw = _ABSENT  # noqa: N815 - the contract's word


_ENVELOPES: Final = msgspec.json.Decoder(_Envelope)
_GRAMMAR: Final = msgspec.json.Decoder(msgspec.Raw)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint goes by. `secrets` is None where its senders sign nothing."""

    secrets: Secrets | None
    name: str = ""
    """Of the receiver: what others that share its inbox had is no repetition for it."""
    tolerance: timedelta = signing.DEFAULT_TOLERANCE
    """How far a `webhook-timestamp` may lie from the clock."""
    remembered: timedelta = timedelta(days=limits.RECEIVED_ID_DAYS)
    """How long an inbox remembers identities."""


def decide(request: Request, rules: Rules, now: datetime) -> Answer | Notification:
    """Return what to keep before 200 is answered, or the answer where nothing is to be kept.

    Never raises, whatever the request holds.
    """
    if request.method != "POST":
        return _NOT_POST
    if request.body is None:
        return _TOO_LARGE
    challenge = request.headers.get(_CHALLENGE, "")
    try:
        scheme = _verified(request.headers, request.body, rules, now, challenged=bool(challenge))
    except SignatureMismatchError:
        return _UNVERIFIED
    if challenge:
        return _answered(challenge)
    try:
        check_json_text(request.body, max_depth=limits.JSON_DEPTH)
        envelope = _envelope_of(request.body)
    except (RequestError, msgspec.DecodeError):
        return _NOT_JSON
    return _notification(request, request.body, scheme, envelope, rules, now)


def _verified(
    headers: Mapping[str, str], body: bytes, rules: Rules, now: datetime, *, challenged: bool
) -> str | None:
    """Return the header whose signature is right; None where there needs to be none.

    Raises SignatureMismatchError. A challenge need not be signed, but if it is, it must be right.
    """
    if rules.secrets is None:
        return None
    if _CALLBACK_SIGNATURE in headers:
        signing.verify_callback(rules.secrets.callbacks, headers, body)
        return _CALLBACK_SIGNATURE
    if _PING_SIGNATURE in headers or not challenged:
        signing.verify(rules.secrets.pings, headers, body, now=now, tolerance=rules.tolerance)
        return _PING_SIGNATURE
    return None


def _answered(challenge: str) -> Answer:
    if not is_answerable(challenge):
        return _NOT_ANSWERABLE
    headers = ((_RESPONSE, challenge), ("Content-Type", "application/json"))
    return Answer(status=HTTPStatus.OK, headers=headers, body=challenge_answer(challenge))


def _envelope_of(body: bytes) -> _Envelope:
    """Return what is known of a JSON text of any shape. Raises DecodeError where it is none."""
    try:
        return _ENVELOPES.decode(body)
    except msgspec.ValidationError:  # JSON, but no object, or with a number beyond all measure
        _GRAMMAR.decode(body)
        return _Envelope()


def _notification(
    request: Request,
    body: bytes,
    scheme: str | None,
    envelope: _Envelope,
    rules: Rules,
    now: datetime,
) -> Notification:
    # A header that no signature covers must not make a repetition look new: where the signature is
    # a callback's, `webhook-id` says nothing.
    named = request.headers.get(_PING_ID, "") if scheme != _CALLBACK_SIGNATURE else ""
    if named:
        identity: bytes | None = _digest(rules, "message", named.encode(errors="replace"))
        message_id = named
    else:
        identity = _identity(rules, envelope, body, signed=scheme is not None)
        message_id = envelope.nonce if isinstance(envelope.nonce, str) else ""
    return Notification(
        identity=identity,
        message_id=message_id.encode(errors="replace")[: limits.CHALLENGE_LENGTH],
        received_at=now,
        body=body,
        stale=scheme == _CALLBACK_SIGNATURE and _is_stale(envelope.timestamp, rules, now),
    )


def _identity(rules: Rules, envelope: _Envelope, body: bytes, *, signed: bool) -> bytes | None:
    """Return what a repetition has in common; None for what may look alike and yet be news."""
    if envelope.nonce is not None:
        return _digest(rules, "callback", envelope.webhookId, envelope.nonce)
    if signed or envelope.events is not _ABSENT or envelope.newWebhookStatus is not _ABSENT:
        return _digest(rules, "body", hashlib.sha256(body).hexdigest())
    return None


def _digest(rules: Rules, kind: str, *named: object) -> bytes:
    text = msgspec.json.encode((rules.name, kind, *named))
    return hashlib.blake2b(text, digest_size=_IDENTITY_BYTES).digest()


def _is_stale(timestamp: object, rules: Rules, now: datetime) -> bool:
    """Whether a callback's own time lies before all that is remembered (contract 2.5)."""
    try:
        return isinstance(timestamp, str) and now - parse_instant(timestamp) > rules.remembered
    except ValueError:
        return False
