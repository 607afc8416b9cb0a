"""Who asks: API keys from the Authorization header, and the account they belong to.

Contract 1.1 and 3.1, mechanics T1: the account is always the key's, and a header that names
another one is answered as if nothing were there, before anything is looked up.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

import msgspec
from starlette.types import Scope

from tidings.api.metering import Count
from tidings.domain.key import Role, hash_key, may
from tidings.domain.limits import FLUSH_SECONDS
from tidings.errors import NotFound, PermissionDenied, Unauthenticated
from tidings.ports import Clock, KeyStore

_SCHEMES = frozenset({"token", "bearer"})
_NO_KEY = "give an API key: Authorization: Token <API_KEY>"


class Principal(msgspec.Struct, frozen=True):
    """Whom a key stands for."""

    account: str
    key_id: str
    name: str
    role: Role


class Authenticator:
    """Turns headers into a Principal, and notes when keys are used.

    It is a worker too: uses are gathered and written once a second, so that no request waits for
    a write.
    """

    name = "key-uses"

    def __init__(self, keys: KeyStore, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._used_at: dict[str, datetime] = {}
        self.wake = asyncio.Event()

    async def authenticate(
        self, scope: Scope, needed: Role, count: Count | None = None
    ) -> Principal:
        """Return whose key the request carries.

        Every request asks the store, so a revoked key is refused at once (contract 3.1). A key
        that is found is counted before anything else is judged; what carries none is never
        counted, so that strangers make nothing grow.

        Raises Unauthenticated (no key, an unknown or a revoked one), what `count` raises,
        PermissionDenied (the key's role doesn't include `needed`), NotFound (ACCOUNT-ID names
        another account; T1).
        """
        authorization, account = _headers(scope)
        key = await self._keys.find(hash_key(_key_text(authorization)))
        if key is None:
            raise Unauthenticated("this API key doesn't exist or is revoked")
        if count is not None:
            count(key.key_id)
        self._used_at[key.key_id] = self._clock.now()
        if not may(key.role, needed):
            raise PermissionDenied(f"this needs a key of the role {needed}; yours is {key.role}")
        if account not in ("", key.account):
            raise NotFound("there is no such account for this key")
        return Principal(key.account, key.key_id, key.name, key.role)

    async def run_once(self) -> float:
        """Write when keys were last used; return the seconds until the next time.

        Uses that can't be written are kept for the next round: there is one a key at most.
        """
        if self._used_at:
            used_at, self._used_at = self._used_at, {}
            try:
                await self._keys.touch(used_at)
            except BaseException:
                self._used_at = used_at | self._used_at
                raise
        return FLUSH_SECONDS


def _headers(scope: Scope) -> tuple[str, str]:
    """Return the Authorization and ACCOUNT-ID headers; empty where there is none.

    One that comes twice is the list of both (RFC 9110 5.2), which is no key and no account: no
    second one can take the first one's place unseen.
    """
    authorization: list[bytes] = []
    account: list[bytes] = []
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization.append(value)
        elif name == b"account-id":
            account.append(value)
    accounts = b", ".join(account).decode("utf-8", "replace").strip()
    return b", ".join(authorization).decode("latin-1"), accounts


def _key_text(authorization: str) -> str:
    """Return the key of an Authorization header; schemes count without case (contract 1.1)."""
    scheme, _, key = authorization.strip().partition(" ")
    if scheme.lower() not in _SCHEMES or not key.strip():
        raise Unauthenticated(_NO_KEY)
    return key.strip()
