"""Where nothing may be sent, and what may not be sent: no byte leaves."""

from __future__ import annotations

import pytest

from tests.acceptance.sender.sending import (
    AUTHORITY,
    DEV,
    PRODUCTION,
    FixedResolver,
    post,
    send,
)
from tidings.clock import SystemClock
from tidings.domain.address import parse_endpoint
from tidings.ports import SendOutcome
from tidings.sender import CurlSender
from tidings.sender.exchange import Exchange
from tidings.sender.guard import Guard
from tidings.sender.headers import header_lines
from tidings.sender.transfers import Transfers
from tidings.testing.endpoint import ScriptedEndpoint

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "127.1", "0x7f.1", "[::ffff:127.0.0.1]"]
)
async def test_outside_dev_no_byte_goes_to_loopback(endpoint: ScriptedEndpoint, host: str) -> None:
    sender = CurlSender(PRODUCTION, SystemClock())
    outcome = await send(sender, f"https://{host}:{endpoint.port}/hook")
    await sender.close()
    assert outcome.status is None
    assert outcome.error is not None
    assert endpoint.connections == 0


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("::ffff:127.0.0.1",),
        ("10.1.2.3",),
        ("169.254.169.254",),
        ("8.8.8.8", "127.0.0.1"),
        ("2606:4700::1111", "::1"),
    ],
)
async def test_a_name_with_any_forbidden_address_is_refused_without_saying_which(
    endpoint: ScriptedEndpoint, addresses: tuple[str, ...]
) -> None:
    sender = CurlSender(PRODUCTION, SystemClock(), resolver=FixedResolver(*addresses))
    outcome = await send(sender, f"https://hooks.example.com:{endpoint.port}/hook")
    await sender.close()
    assert outcome.status is None
    assert outcome.error is not None
    assert "public addresses" in outcome.error
    assert not any(address in outcome.error for address in addresses)
    assert not outcome.unreachable
    assert endpoint.connections == 0


async def test_a_name_with_a_forbidden_address_is_not_tried_at_its_allowed_one(
    endpoint: ScriptedEndpoint,
) -> None:
    sender = CurlSender(DEV, SystemClock(), resolver=FixedResolver("127.0.0.1", "10.1.2.3"))
    outcome = await send(sender, endpoint.url(host="hooks.example.com"))
    await sender.close()
    assert outcome.error is not None
    assert endpoint.connections == 0


async def test_an_address_that_passed_the_vetting_is_judged_again_when_connecting(
    endpoint: ScriptedEndpoint,
) -> None:
    outcome = await _post_unvetted(Guard(PRODUCTION, frozenset), endpoint)
    assert outcome.status is None
    assert outcome.error is not None
    assert "public addresses" in outcome.error
    assert endpoint.connections == 0
    assert (await _post_unvetted(Guard(DEV, frozenset), endpoint)).status == 200


async def test_a_guard_that_fails_refuses(
    endpoint: ScriptedEndpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken() -> frozenset[str]:
        raise OSError("no table")

    outcome = await _post_unvetted(Guard(DEV, broken), endpoint)
    assert outcome.status is None
    assert endpoint.connections == 0
    assert capfd.readouterr().err == ""


async def _post_unvetted(guard: Guard, endpoint: ScriptedEndpoint) -> SendOutcome:
    """POST to a pinned address with nothing but the guard in the way."""
    transfers = Transfers()
    exchange = Exchange(guard, AUTHORITY, transfers.handle())
    # The plain protocol is opened, so that only the address can be what is refused.
    exchange.easy.setopt(exchange.easy.PROTOCOLS, exchange.easy.PROTO_HTTP)
    exchange.prepare(
        parse_endpoint(endpoint.url(host="hooks.example.com"), DEV),
        ["127.0.0.1"],
        header_lines([], "test"),
        b"{}",
        5.0,
    )
    outcome = exchange.outcome(await transfers.run(exchange.easy), 0.0)
    transfers.close()
    exchange.close()
    return outcome


async def test_this_hosts_own_addresses_are_refused() -> None:
    own = frozenset({"8.8.8.8"})
    sender = CurlSender(PRODUCTION, SystemClock(), own_addresses=lambda: own)
    outcome = await send(sender, "https://8.8.8.8/")
    await sender.close()
    assert outcome.error is not None
    assert "public addresses" in outcome.error


async def test_outside_dev_http_is_refused() -> None:
    sender = CurlSender(PRODUCTION, SystemClock(), resolver=FixedResolver("8.8.8.8"))
    outcome = await send(sender, "http://hooks.example.com/")
    await sender.close()
    assert outcome.error == "The URL must start with https://."


async def test_proxies_of_the_environment_are_ignored(
    sender: CurlSender, endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedEndpoint() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        monkeypatch.setenv("no_proxy", "")
        assert (await send(sender, endpoint.url())).status == 200
        assert proxy.connections == 0


@pytest.mark.parametrize(
    "header",
    [
        ("X-A", "b\r\nX-Injected: c"),
        ("X-A", "b\nX-Injected: c"),
        ("X-A", "b\x00c"),
        ("X-A\r\nX-Injected", "c"),
        ("X-A: b", "c"),
        ("", "c"),
        ("X-A", "snowman ☃"),
        ("Host", "internal"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
    ],
)
async def test_a_header_that_could_make_another_request_is_refused(
    sender: CurlSender, endpoint: ScriptedEndpoint, header: tuple[str, str]
) -> None:
    outcome = await sender.send(post(endpoint.url(), headers=[header]))
    assert outcome.status is None
    assert outcome.error is not None
    assert "header" in outcome.error
    assert endpoint.connections == 0
