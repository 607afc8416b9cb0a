"""What the sender's tests share: requests, resolvers that answer as told, and policies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tidings.domain.address import AddressPolicy
from tidings.ports import SendOutcome, SendRequest
from tidings.sender import CurlSender

CERTIFICATES = Path(__file__).parents[2] / "certificates"
AUTHORITY = str(CERTIFICATES / "authority.pem")
PRODUCTION = AddressPolicy()
DEV = AddressPolicy(dev=True)


class FixedResolver:
    """Answers every name with the same addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def resolve(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self.addresses

    async def close(self) -> None:
        pass


class SilentResolver(FixedResolver):
    """A DNS server that never answers for `tarpit` names, and at once for others."""

    async def resolve(self, host: str) -> Sequence[str]:
        await super().resolve(host)
        if "tarpit" in host:
            await asyncio.Event().wait()
        return self.addresses


def post(url: str, *, seconds: float = 10.0, **changes: Any) -> SendRequest:
    headers = [("Content-Type", "application/json"), ("webhook-id", "w.1")]
    fields: dict[str, Any] = {"account": "a", "headers": headers, "body": b'{"a":1}'} | changes
    return SendRequest(url=url, deadline_seconds=seconds, **fields)


async def send(sender: CurlSender, url: str, *, seconds: float = 10.0) -> SendOutcome:
    return await sender.send(post(url, seconds=seconds))
