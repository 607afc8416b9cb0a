"""API keys as rows, and back."""

from __future__ import annotations

from tidings.domain.instants import from_milliseconds, to_milliseconds
from tidings.domain.key import ApiKey, Role
from tidings.storage.rows.instants import loaded, stored

KeyRow = tuple[str, str, str, str, bytes, int, int | None, int | None]


def key_row(key: ApiKey) -> KeyRow:
    """Return a key's whole row."""
    return (
        key.key_id,
        key.account,
        key.name,
        key.role.value,
        key.key_hash,
        to_milliseconds(key.created_at),
        stored(key.revoked_at),
        stored(key.last_used_at),
    )


def read_key(
    key_id: str,
    account: str,
    name: str,
    role: str,
    key_hash: bytes,
    created_at: int,
    revoked_at: int | None,
    last_used_at: int | None,
) -> ApiKey:
    """Return the key of its row."""
    return ApiKey(
        key_id=key_id,
        account=account,
        name=name,
        role=Role(role),
        key_hash=key_hash,
        created_at=from_milliseconds(created_at),
        revoked_at=loaded(revoked_at),
        last_used_at=loaded(last_used_at),
    )
