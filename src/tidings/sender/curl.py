"""The Sender port: parse, look up, vet, pin, POST, within one deadline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import certifi
import msgspec

import tidings
from tidings.domain.address import AddressPolicy, Endpoint, parse_endpoint
from tidings.domain.limits import DNS_ADDRESSES, SENDS
from tidings.errors import InvalidArgument
from tidings.ports import Clock, SendOutcome, SendRequest
from tidings.sender.exchange import Exchange
from tidings.sender.guard import Guard
from tidings.sender.headers import header_lines, why_not_sendable
from tidings.sender.lookups import DnsResolver, LookupFailed, Lookups, Resolver
from tidings.sender.own_addresses import OwnAddresses
from tidings.sender.transfers import Transfers
from tidings.sender.verdict import CLOSED, FORBIDDEN

_PARSED_URLS = 4_096
"""Endpoints whose URL needn't be taken apart again; a few hundred bytes each."""


class CurlSender:
    """Sends POSTs over libcurl, to addresses that the policy allows and no others.

    One policy a sender, since kept connections are shared within it (mechanics S1): another policy
    is another sender. Belongs to the event loop of its first send.

    `ca_file` is a PEM file of the certificate authorities to trust instead of certifi's.
    `own_addresses` and `resolver` are seams for tests.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        clock: Clock,
        *,
        ca_file: str | None = None,
        resolver: Resolver | None = None,
        own_addresses: Callable[[], frozenset[str]] | None = None,
    ) -> None:
        self._clock = clock
        self._guard = Guard(policy, own_addresses or OwnAddresses(clock).current)
        self._lookups = Lookups(resolver or DnsResolver())
        self._transfers = Transfers()
        self._ca_file = ca_file or certifi.where()
        self._idle: list[Exchange] = []
        self._agent = f"tidings/{tidings.__version__}"
        self._closed = False
        self._parse = lru_cache(_PARSED_URLS)(lambda url: parse_endpoint(url, policy))

    async def send(self, request: SendRequest) -> SendOutcome:
        """POST once, without redirects, within the deadline. Cancelling it hangs up.

        Never raises for what an endpoint does, nor for a URL or header that can't be sent: the
        outcome's `error` says it.
        """
        began = self._clock.monotonic()
        outcome = await self._try(request, began)
        return msgspec.structs.replace(outcome, elapsed_seconds=self._clock.monotonic() - began)

    async def close(self) -> None:
        """Hang up everything that is under way and free what is held. Twice is fine."""
        self._closed = True
        self._transfers.close()
        while self._idle:
            self._idle.pop().close()
        await self._lookups.close()

    async def _try(self, request: SendRequest, began: float) -> SendOutcome:
        if self._closed:
            return _failed(CLOSED)
        unsendable = why_not_sendable(request.headers)
        if unsendable is not None:
            return _failed(unsendable)
        try:
            endpoint = self._parse(request.url)
            addresses = await self._addresses(endpoint, request)
        except InvalidArgument as error:
            return _failed(error.message)
        except LookupFailed as failure:
            return _failed(failure.message, unreachable=failure.unreachable)
        if any(self._guard.forbids(address) for address in addresses):
            return _failed(FORBIDDEN)
        left = request.deadline_seconds - (self._clock.monotonic() - began)
        return await self._post(endpoint, addresses[:DNS_ADDRESSES], request, left)

    async def _addresses(self, endpoint: Endpoint, request: SendRequest) -> Sequence[str]:
        if endpoint.is_address:
            return (endpoint.host,)
        return await self._lookups.find(request.account, endpoint.host, request.deadline_seconds)

    async def _post(
        self, endpoint: Endpoint, addresses: Sequence[str], request: SendRequest, seconds: float
    ) -> SendOutcome:
        if self._closed:
            return _failed(CLOSED)
        exchange = self._idle.pop() if self._idle else Exchange(self._guard, self._ca_file)
        try:
            lines = header_lines(request.headers, self._agent)
            exchange.prepare(endpoint, addresses, lines, request.body, seconds)
            return exchange.outcome(await self._transfers.run(exchange.easy))
        finally:
            self._put_back(exchange)

    def _put_back(self, exchange: Exchange) -> None:
        if self._closed or len(self._idle) >= SENDS:
            exchange.close()
        else:
            self._idle.append(exchange)


def _failed(error: str, *, unreachable: bool = False) -> SendOutcome:
    return SendOutcome(status=None, error=error, unreachable=unreachable)
