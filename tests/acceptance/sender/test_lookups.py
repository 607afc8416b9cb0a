"""Names: asked for under the deadline, within the account's share, and pinned."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.acceptance.sender.sending import (
    DEV,
    FixedResolver,
    SilentResolver,
    post,
    send,
)
from tidings.clock import SystemClock
from tidings.domain.limits import DNS_FRESH_NAMES, DNS_FRESH_SECONDS, DNS_QUERIES_PER_ACCOUNT
from tidings.sender import CurlSender
from tidings.sender.lookups import LookupFailed, Lookups
from tidings.testing.clock import ManualClock
from tidings.testing.endpoint import ScriptedEndpoint

pytestmark = pytest.mark.anyio


async def test_a_name_is_sent_to_at_the_address_that_was_vetted(endpoint: ScriptedEndpoint) -> None:
    resolver = FixedResolver("127.0.0.1")
    sender = CurlSender(DEV, SystemClock(), resolver=resolver)
    outcome = await send(sender, endpoint.url(host="hooks.example.com"))
    await sender.close()
    assert outcome.status == 200
    assert resolver.asked == ["hooks.example.com"]
    assert endpoint.requests[0].headers["host"] == f"hooks.example.com:{endpoint.port}"


async def test_an_answer_serves_for_seconds_and_a_forbidden_one_is_refused_when_it_comes(
    endpoint: ScriptedEndpoint,
) -> None:
    clock = ManualClock()
    resolver = FixedResolver("127.0.0.1")
    sender = CurlSender(DEV, clock, resolver=resolver)
    url = endpoint.url(host="hooks.example.com")
    assert [(await send(sender, url)).status for _ in range(3)] == [200, 200, 200]
    assert len(resolver.asked) == 1

    resolver.addresses = ("10.1.2.3",)
    await clock.advance(DNS_FRESH_SECONDS)
    outcome = await send(sender, url)
    await sender.close()
    assert outcome.error is not None
    assert "public addresses" in outcome.error
    assert len(endpoint.requests) == 3


async def test_names_whose_answers_are_kept_are_bounded() -> None:
    lookups = Lookups(FixedResolver("8.8.8.8"), SystemClock())
    for number in range(DNS_FRESH_NAMES + 10):
        await lookups.find("a", f"{number}.example.com", 1.0)
    assert len(lookups._fresh) == DNS_FRESH_NAMES
    await lookups.close()


async def test_names_of_the_hosts_file_work_in_dev(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    assert (await send(sender, endpoint.url(host="localhost"))).status == 200


async def test_a_name_without_an_address_is_unreachable() -> None:
    class Unknown(FixedResolver):
        async def resolve(self, host: str) -> Sequence[str]:
            raise LookupFailed(f"DNS has no address for {host}.")

    for resolver in (Unknown(), FixedResolver()):
        sender = CurlSender(DEV, SystemClock(), resolver=resolver)
        outcome = await send(sender, "https://hooks.example.com/")
        await sender.close()
        assert outcome.unreachable
        assert outcome.error == "DNS has no address for hooks.example.com."


async def test_the_deadline_covers_dns() -> None:
    sender = CurlSender(DEV, SystemClock(), resolver=SilentResolver())
    outcome = await send(sender, "https://tarpit.example.com/", seconds=0.2)
    await sender.close()
    assert 0.15 < outcome.elapsed_seconds < 2.0
    assert outcome.unreachable
    assert outcome.error == "DNS gave no answer for tarpit.example.com in time."


async def test_one_accounts_silent_dns_holds_up_that_account_only(
    endpoint: ScriptedEndpoint,
) -> None:
    resolver = SilentResolver("127.0.0.1")
    sender = CurlSender(DEV, SystemClock(), resolver=resolver)
    stuck = [
        asyncio.create_task(send(sender, f"https://tarpit-{number}.example.com/"))
        for number in range(DNS_QUERIES_PER_ACCOUNT * 3)
    ]
    await asyncio.sleep(0)

    url = endpoint.url(host="hooks.example.com")
    neighbour = await sender.send(post(url, account="b"))
    assert neighbour.status == 200
    # The wait for its own account's places says nothing of the host.
    other = endpoint.url(host="other.example.com")
    crowded = await send(sender, other, seconds=0.2)
    assert crowded.error == "Too many host names of this account wait for DNS."
    assert not crowded.unreachable
    assert len(resolver.asked) == DNS_QUERIES_PER_ACCOUNT + 1

    for task in stuck:
        task.cancel()
    await asyncio.gather(*stuck, return_exceptions=True)
    # Given up, but still being asked: their places stay taken.
    assert (await send(sender, other, seconds=0.2)).status is None
    await sender.close()
    assert sender._lookups._shares == {}  # Nothing is kept of an account that looks nothing up.
