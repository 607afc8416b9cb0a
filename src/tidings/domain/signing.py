"""Signatures of both contracts, each an HMAC-SHA256 with a secret that both sides know.

Pings: Standard Webhooks, version 1 (contract 1.6). Callbacks: Smartsheet's header (contract 2.5).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import string
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from tidings.errors import SignatureMismatchError

SECRET_BYTES = 32
"""Entropy of a new secret: as many bytes as the HMAC's hash has, within the standard's 24 to 64."""

_PREFIX = "whsec_"
_SHARED_ALPHABET = string.digits + string.ascii_lowercase
_SHARED_CHARACTERS = 26
SHARED_SECRET_BYTES = 32
"""Entropy of a new shared secret: more than its 26 characters tell, so that none is likelier."""
CALLBACK_SIGNATURE = "Smartsheet-Hmac-SHA256"
"""The header of a callback's signature: 64 lower-case hexadecimal digits."""
_CALLBACK_SIGNATURE_LOWER = CALLBACK_SIGNATURE.lower()
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


def new_shared_secret(entropy: bytes) -> str:
    """Return a callback's secret, 26 lower-case letters and digits (contract 2.2).

    `entropy` is SHARED_SECRET_BYTES that nobody can guess.
    """
    number = int.from_bytes(entropy)
    characters = []
    for _ in range(_SHARED_CHARACTERS):
        number, digit = divmod(number, len(_SHARED_ALPHABET))
        characters.append(_SHARED_ALPHABET[digit])
    return "".join(characters)


def sign_callback(secret: str, body: bytes) -> str:
    """Return the value of CALLBACK_SIGNATURE for a callback's or a challenge's raw body."""
    return hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def verify_callback(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> None:
    """Return if one of `secrets` signed this body as a callback; else SignatureMismatchError.

    `headers` may be written in any case. The signature is compared in constant time with that of
    every secret, so that a reset of the secret needs no gap. It has no time in it: what was sent
    once verifies for ever, and a receiver knows a repetition by its nonce. Whatever the bytes are,
    nothing but SignatureMismatchError is raised.
    """
    given = headers.get(_CALLBACK_SIGNATURE_LOWER)
    if given is None:
        lowered = {name.lower(): value for name, value in headers.items()}
        given = lowered.get(_CALLBACK_SIGNATURE_LOWER, "")
    found = given.encode(errors="replace")
    matches = False
    try:
        for secret in secrets:
            matches |= hmac.compare_digest(found, sign_callback(secret, body).encode())
    except UnicodeEncodeError as error:
        raise SignatureMismatchError("the secret can't be used") from error
    if not matches:
        raise SignatureMismatchError(f"{CALLBACK_SIGNATURE} is missing or wrong")
