"""Whose a secret is: its form says it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec

from tidings.errors import ConfigurationError

_PREFIX = "whsec_"


class Secrets(msgspec.Struct, frozen=True):
    """The secrets of an endpoint. Each kind of signature is verified with its own alone."""

    pings: tuple[str, ...] = ()
    """`whsec_<base64>`: of Standard Webhooks, and so of pings."""
    callbacks: tuple[str, ...] = ()
    """All others: of callbacks."""


def sorted_secrets(given: str | Sequence[str] | None) -> Secrets | None:
    """Return secrets by their kind; None where the senders sign nothing.

    Raises ConfigurationError, which doesn't say the secret.
    """
    if given is None:
        return None
    # A file or a variable often ends with a line break, which no secret has.
    secrets = tuple(one.strip() for one in ((given,) if isinstance(given, str) else given))
    if not secrets:
        raise _wrong("no secret is given; say secrets=None where senders sign nothing")
    for secret in secrets:
        if not secret or not secret.isascii():
            raise _wrong("a secret is empty, or no ASCII text")
        if secret.startswith(_PREFIX):
            _check_base64(secret)
    pings = tuple(secret for secret in secrets if secret.startswith(_PREFIX))
    return Secrets(pings, tuple(secret for secret in secrets if secret not in pings))


def _check_base64(secret: str) -> None:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise _wrong(f"a secret that begins with {_PREFIX} goes on in base64")


def _wrong(sentence: str) -> ConfigurationError:
    return ConfigurationError("secrets", sentence)
