"""Names to addresses, without a thread that can't be stopped and without one tenant's harm."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import aiodns
import pycares

from tidings.domain.limits import (
    DNS_FRESH_NAMES,
    DNS_FRESH_SECONDS,
    DNS_QUERIES_PER_ACCOUNT,
    DNS_TRIES,
    DNS_TRY_SECONDS,
)
from tidings.ports import Clock
from tidings.sender.verdict import CLOSED


class LookupFailed(Exception):
    """No addresses. `unreachable`: for everyone, not only for this account."""

    def __init__(self, message: str, *, unreachable: bool = True) -> None:
        super().__init__(message)
        self.message = message
        self.unreachable = unreachable


class Resolver(Protocol):
    """Asks for a name's addresses. A seam, so that tests can answer what no DNS server would."""

    async def resolve(self, host: str) -> Sequence[str]:
        """Return IPv4 and IPv6 addresses, best first. Raises LookupFailed."""

    async def close(self) -> None:
        """Stop asking. Twice is fine."""


class DnsResolver:
    """The host's resolver and hosts file, through c-ares."""

    def __init__(self) -> None:
        self._channel: aiodns.DNSResolver | None = None

    async def resolve(self, host: str) -> Sequence[str]:
        """Return IPv4 and IPv6 addresses, best first. Raises LookupFailed."""
        try:
            answer = await self._open().getaddrinfo(host, type=1)
        except aiodns.error.DNSError as error:
            if error.args[:1] in ((pycares.errno.ARES_ENOTFOUND,), (pycares.errno.ARES_ENODATA,)):
                message = f"DNS has no address for {host}."
            else:
                message = f"DNS gave no answer for {host}."
            raise LookupFailed(message) from None
        except pycares.AresError:
            raise LookupFailed("The server could not ask DNS.", unreachable=False) from None
        return [node.addr[0].decode("ascii") for node in answer.nodes]

    def _open(self) -> aiodns.DNSResolver:
        if self._channel is None:
            # Without the search list: an endpoint's name is whole, and a cluster's own names
            # (`hooks.svc.cluster.local`) are not its owner's to ask for.
            flags = pycares.ARES_FLAG_NOSEARCH | pycares.ARES_FLAG_EDNS
            self._channel = aiodns.DNSResolver(
                flags=flags, timeout=DNS_TRY_SECONDS, tries=DNS_TRIES
            )
        return self._channel

    async def close(self) -> None:
        """Stop asking. Twice is fine."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()


class _Share:
    """One account's look-ups: how many it may still start, and how many want one or have one."""

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(DNS_QUERIES_PER_ACCOUNT)
        self.wanted = 0


class Lookups:
    """Look-ups under a deadline, with a cap for each account (mechanics D7)."""

    def __init__(self, resolver: Resolver, clock: Clock) -> None:
        self._resolver = resolver
        self._clock = clock
        self._fresh: dict[str, tuple[float, Sequence[str]]] = {}
        self._shares: dict[str, _Share] = {}
        self._queries: set[asyncio.Task[Sequence[str]]] = set()
        self._closed = False

    async def find(self, account: str, host: str, seconds: float) -> Sequence[str]:
        """Return a name's addresses, at least one, within `seconds`. Raises LookupFailed.

        A query that was given up still holds its place until it ends: else an account whose DNS
        never answers would have as many queries running as it has sends. Waiting for a place may
        take half of the time, so that what fails later is the host's own doing and not a
        neighbour's, and may be told of the host to all.
        """
        answered_at, addresses = self._fresh.get(host, (0.0, ()))
        if addresses and self._clock.monotonic() - answered_at < DNS_FRESH_SECONDS:
            return addresses
        share = self._shares.setdefault(account, _Share())
        share.wanted += 1
        try:
            async with asyncio.timeout(seconds):
                query = await self._begin(account, share, host, seconds / 2)
                addresses = await asyncio.shield(query)
        except TimeoutError:
            raise LookupFailed(f"DNS gave no answer for {host} in time.") from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closed and task is not None and not task.cancelling():
                raise LookupFailed(CLOSED, unreachable=False) from None
            raise
        if not addresses:
            raise LookupFailed(f"DNS has no address for {host}.")
        self._keep(host, addresses)
        return addresses

    async def close(self) -> None:
        """Stop asking. Twice is fine."""
        self._closed = True
        queries = list(self._queries)
        for query in queries:
            query.cancel()
        await asyncio.gather(*queries, return_exceptions=True)
        await self._resolver.close()

    async def _begin(
        self, account: str, share: _Share, host: str, seconds: float
    ) -> asyncio.Task[Sequence[str]]:
        """Start a query once the account has a place for it."""
        query: asyncio.Task[Sequence[str]] | None = None
        try:
            async with asyncio.timeout(seconds):
                await share.free.acquire()
            if self._closed:
                share.free.release()
                raise LookupFailed(CLOSED, unreachable=False)
            query = self._start(account, share, host)
        except TimeoutError:
            message = "Too many host names of this account wait for DNS."
            raise LookupFailed(message, unreachable=False) from None
        finally:
            if query is None:
                self._leave(account, share)
        return query

    def _start(self, account: str, share: _Share, host: str) -> asyncio.Task[Sequence[str]]:
        async def ask() -> Sequence[str]:
            return await self._resolver.resolve(host)

        def ended(query: asyncio.Task[Sequence[str]]) -> None:
            self._queries.discard(query)
            share.free.release()
            self._leave(account, share)
            if not query.cancelled():
                query.exception()  # Seen, also where the send was given up before it came.

        query = asyncio.create_task(ask())
        self._queries.add(query)
        query.add_done_callback(ended)
        return query

    def _keep(self, host: str, addresses: Sequence[str]) -> None:
        self._fresh.pop(host, None)
        self._fresh[host] = (self._clock.monotonic(), addresses)
        if len(self._fresh) > DNS_FRESH_NAMES:
            del self._fresh[next(iter(self._fresh))]

    def _leave(self, account: str, share: _Share) -> None:
        share.wanted -= 1
        if share.wanted == 0:
            del self._shares[account]
