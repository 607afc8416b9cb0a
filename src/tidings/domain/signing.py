"""Standard Webhooks signatures, version 1: symmetric, HMAC-SHA256 (contract 1.6)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from tidings.errors import SignatureMismatchError

SECRET_BYTES = 32
"""Entropy of a new secret: as many bytes as the HMAC's hash has, within the standard's 24 to 64."""

_PREFIX = "whsec_"
DEFAULT_TOLERANCE = timedelta(minutes=5)
"""How far an attempt's time may lie from the receiver's clock; the standard's own default."""


def new_secret(entropy: bytes) -> str:
    """Return a signing secret, `whsec_<base64>`, of `SECRET_BYTES` bytes of entropy."""
    return _PREFIX + base64.b64encode(entropy).decode()


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)


def sign(secret: str, identity: str, timestamp: int, body: bytes) -> str:
    """Return `v1,<base64>` over `<id>.<timestamp>.<body>`; `timestamp` in seconds since 1970."""
    message = f"{identity}.{timestamp}.".encode() + body
    digest = hmac.digest(_key(secret), message, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


def verify(
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    tolerance: timedelta = DEFAULT_TOLERANCE,
) -> None:
    """Return if one of `secrets` made a signature of this body; else SignatureMismatchError.

    `headers` may be written in any case. Every signature is compared in constant time with that
    of every secret, so that during a rotation either side may be ahead. Whatever the bytes are,
    nothing but SignatureMismatchError is raised.
    """
    found = {name.lower(): value for name, value in headers.items()}
    identity, sent_at = found.get("webhook-id", ""), found.get("webhook-timestamp", "")
    if not identity or not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= 12):
        raise SignatureMismatchError("webhook-id or webhook-timestamp is missing or malformed")
    if abs(now.timestamp() - int(sent_at)) > tolerance.total_seconds():
        raise SignatureMismatchError("webhook-timestamp is too far from the present")
    given = found.get("webhook-signature", "").encode(errors="replace").split(b" ")
    try:
        expected = [sign(secret, identity, int(sent_at), body).encode() for secret in secrets]
    except (binascii.Error, UnicodeEncodeError, ValueError) as error:
        raise SignatureMismatchError("the secret or webhook-id can't be used") from error
    matches = [hmac.compare_digest(a, b) for a in given for b in expected]
    if not any(matches):
        raise SignatureMismatchError("no signature matches")
