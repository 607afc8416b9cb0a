"""Faults in what guards the sender (mechanics S1, S2, D7): each to be planted.

Two judge every address: the vetting, and the guard at the connection. A fault that takes only the
first away shows nothing: so most of these take the second away, and spoil the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pycurl
import pytest

from tidings.domain import address
from tidings.ports import SendRequest
from tidings.sender import lookups
from tidings.sender.curl import CurlSender
from tidings.sender.exchange import Exchange
from tidings.sender.guard import CurlAddress, Guard, HandedSocket

Plant = pytest.MonkeyPatch


def judged_when_registered(plant: Plant) -> None:
    """S1: a URL is looked at when a webhook is made, and never again."""
    plant.setattr(Guard, "forbids", lambda self, address: False)


def judged_before_connecting_only(plant: Plant) -> None:
    """S1: what was vetted is connected to, whatever came in between."""

    def open_socket(self: Guard, address: CurlAddress) -> HandedSocket:
        return HandedSocket(address.family, address.socktype, address.protocol)

    plant.setattr(Guard, "open_socket", open_socket)


def judged_by_the_first_address(plant: Plant) -> None:
    """S1: a name with many addresses, of which one is vetted."""
    judged_before_connecting_only(plant)
    forbids = Guard.forbids

    async def vetted(self: CurlSender, endpoint: Any, request: SendRequest) -> Sequence[str]:
        found = await self._lookups.find(request.account, endpoint.host, request.deadline_seconds)
        return () if forbids(self._guard, found[0]) else found

    plant.setattr(CurlSender, "_vetted", vetted)


def judged_once_a_name(plant: Plant) -> None:
    """S1: a name that was found good once, and is believed for ever."""
    judged_before_connecting_only(plant)
    vet = CurlSender._vetted
    good: set[str] = set()

    async def vetted(self: CurlSender, endpoint: Any, request: SendRequest) -> Sequence[str]:
        if endpoint.host in good:
            seconds = request.deadline_seconds
            return await self._lookups.find(request.account, endpoint.host, seconds)
        found = await vet(self, endpoint, request)
        good.add(endpoint.host)
        return found

    plant.setattr(CurlSender, "_vetted", vetted)


def redirects_followed(plant: Plant) -> None:
    """S1: libcurl goes where an endpoint leads, and only the first host was vetted."""
    judged_before_connecting_only(plant)
    set_up = Exchange._set_up

    def follow(self: Exchange, dev: bool, ca_file: str) -> None:
        set_up(self, dev, ca_file)
        self.easy.setopt(pycurl.FOLLOWLOCATION, 1)

    plant.setattr(Exchange, "_set_up", follow)


def own_addresses_forgotten(plant: Plant) -> None:
    """S2: the host's own addresses, which are public."""
    judge = address.why_forbidden
    plant.setattr("tidings.sender.guard.why_forbidden", lambda one, policy, own: judge(one, policy))


def urls_taken_as_they_come(plant: Plant) -> None:
    """S2: a webhook for whatever URL its owner gives."""
    plant.setattr(address, "_why_forbidden", lambda *given: None)


def no_share_of_dns(plant: Plant) -> None:
    """D7: one account's names are all asked for at once."""
    plant.setattr(lookups, "DNS_QUERIES_PER_ACCOUNT", 1_000)
