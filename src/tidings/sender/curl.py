"""The Sender port: parse, look up, vet, pin, POST, within one deadline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import certifi

import tidings
from tidings.domain.address import AddressPolicy, Endpoint, parse_endpoint
from tidings.domain.limits import DNS_ADDRESSES, SENDS
from tidings.errors import InvalidArgument
from tidings.ports import Clock, SendOutcome, SendRequest
from tidings.sender.exchange import Exchange
from tidings.sender.guard import Guard
from tidings.sender.headers import Unsendable, header_lines
from tidings.sender.lookups import DnsResolver, LookupFailed, Lookups, Resolver
from tidings.sender.own_addresses import OwnAddresses
from tidings.sender.transfers import Libcurl, Transfers
from tidings.sender.verdict import CLOSED, FORBIDDEN

_PARSED_URLS = 4_096
"""Endpoints whose URL needn't be taken apart again; a few kilobytes each."""


class CurlSender:
    """Sends POSTs over libcurl, to addresses that the policy allows and no others.

    One policy a sender, since kept connections are shared within it (mechanics S1): another policy
    is another sender. Belongs to the event loop of its first send.

    `ca_file` is a PEM file of the certificate authorities to trust instead of certifi's.
    `own_addresses`, `resolver` and `libcurl` are seams for tests.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        clock: Clock,
        *,
        ca_file: str | None = None,
        resolver: Resolver | None = None,
        own_addresses: Callable[[], frozenset[str]] | None = None,
        libcurl: Libcurl | None = None,
    ) -> None:
        self._clock = clock
        self._guard = Guard(policy, own_addresses or OwnAddresses(clock).current)
        self._lookups = Lookups(resolver or DnsResolver(), clock)
        self._transfers: Libcurl = libcurl or Transfers()
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
        try:
            lines = header_lines(request.headers, self._agent)
            endpoint = self._parse(request.url)
            addresses = await self._vetted(endpoint, request)
        except Unsendable as unsendable:
            return self._failed(str(unsendable), began)
        except InvalidArgument as refused:
            return self._failed(refused.message, began)
        except LookupFailed as failure:
            return self._failed(failure.message, began, unreachable=failure.unreachable)
        if self._closed:
            return self._failed(CLOSED, began)
        exchange = self._idle.pop() if self._idle else self._new_exchange()
        try:
            left = request.deadline_seconds - (self._clock.monotonic() - began)
            exchange.prepare(endpoint, addresses, lines, request.body, left)
            ended = await self._transfers.run(exchange.easy)
            return exchange.outcome(ended, self._clock.monotonic() - began)
        finally:
            self._put_back(exchange)

    async def close(self) -> None:
        """Hang up everything that is under way and free what is held. Twice is fine."""
        self._closed = True
        self._transfers.close()
        while self._idle:
            self._idle.pop().close()
        await self._lookups.close()

    async def _vetted(self, endpoint: Endpoint, request: SendRequest) -> Sequence[str]:
        """Return the endpoint's addresses; all of them are allowed. Raises LookupFailed."""
        if endpoint.is_address:
            addresses: Sequence[str] = (endpoint.host,)
        else:
            seconds = request.deadline_seconds
            addresses = await self._lookups.find(request.account, endpoint.host, seconds)
        if any(self._guard.forbids(address) for address in addresses):
            raise LookupFailed(FORBIDDEN, unreachable=False)
        return addresses[:DNS_ADDRESSES]

    def _new_exchange(self) -> Exchange:
        return Exchange(self._guard, self._ca_file, self._transfers.handle())

    def _put_back(self, exchange: Exchange) -> None:
        if self._closed or len(self._idle) >= SENDS:
            exchange.close()
        else:
            self._idle.append(exchange)

    def _failed(self, error: str, began: float, *, unreachable: bool = False) -> SendOutcome:
        return SendOutcome(
            status=None,
            error=error,
            unreachable=unreachable,
            elapsed_seconds=self._clock.monotonic() - began,
        )
