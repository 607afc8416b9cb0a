"""API keys: roles, and the only form in which a key is stored (contract 3.1)."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from enum import StrEnum

import msgspec

KEY_BYTES = 32
KEY_ID_BYTES = 9


class Role(StrEnum):
    """What a key may do: publish changes, use the webhook services, or all of its account."""

    PUBLISHER = "publisher"
    SUBSCRIBER = "subscriber"
    ADMIN = "admin"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key's row. The key itself is printed once and never stored."""

    key_id: str
    account: str
    name: str
    role: Role
    key_hash: bytes
    created_at: datetime
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


def new_key_text(entropy: bytes) -> str:
    """Return a key's text of `KEY_BYTES` random bytes: `tdg_` and 43 URL-safe characters."""
    return "tdg_" + base64.urlsafe_b64encode(entropy).rstrip(b"=").decode()


def new_key_id(entropy: bytes) -> str:
    """Return a key's public id of `KEY_ID_BYTES` random bytes."""
    return "key_" + base64.b32encode(entropy).rstrip(b"=").decode().lower()


def hash_key(text: str) -> bytes:
    """Return SHA-256 of a key's text: keys are random, so no slow hash is needed."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def may(role: Role, needed: Role) -> bool:
    """Whether a role includes another: admin includes all of its account."""
    return role is needed or role is Role.ADMIN
