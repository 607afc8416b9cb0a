"""The sender against a real endpoint over real sockets, on both event loops."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tidings.clock import SystemClock
from tidings.domain.address import AddressPolicy, parse_endpoint
from tidings.domain.limits import DNS_QUERIES_PER_ACCOUNT, RESPONSE_BYTES
from tidings.ports import SendOutcome, SendRequest
from tidings.sender import CurlSender
from tidings.sender.exchange import Exchange
from tidings.sender.guard import Guard
from tidings.sender.headers import header_lines
from tidings.sender.lookups import LookupFailed
from tidings.sender.transfers import Transfers
from tidings.testing.endpoint import Answer, ScriptedEndpoint

pytestmark = pytest.mark.anyio

CERTIFICATES = Path(__file__).parent.parent / "certificates"
AUTHORITY = str(CERTIFICATES / "authority.pem")
PRODUCTION = AddressPolicy()
DEV = AddressPolicy(dev=True)


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def endpoint() -> AsyncIterator[ScriptedEndpoint]:
    async with ScriptedEndpoint() as listening:
        yield listening


@pytest.fixture
async def sender() -> AsyncIterator[CurlSender]:
    opened = CurlSender(DEV, SystemClock())
    yield opened
    await opened.close()


@pytest.fixture
async def tls_endpoint() -> AsyncIterator[ScriptedEndpoint]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "endpoint.pem")
    async with ScriptedEndpoint(tls=context) as listening:
        yield listening


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


# --- a good endpoint ------------------------------------------------------------------------


async def test_an_endpoint_gets_exactly_what_was_asked_to_be_sent(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    outcome = await send(sender, endpoint.url("/hook/../x?a=%20b"))

    [request] = endpoint.requests
    assert (request.method, request.target) == ("POST", "/hook/../x?a=%20b")
    assert request.body == b'{"a":1}'
    assert request.headers.pop("user-agent").startswith("tidings/")  # type: ignore[attr-defined]
    assert request.headers == {
        "host": f"127.0.0.1:{endpoint.port}",
        "accept": "*/*",
        "content-type": "application/json",
        "webhook-id": "w.1",
        "content-length": "7",
    }
    assert (outcome.status, outcome.error, outcome.unreachable) == (200, None, False)
    assert outcome.elapsed_seconds > 0


async def test_an_answer_comes_back_with_its_headers_and_body(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    endpoint.script(
        Answer(status=503, headers=(("Retry-After", "1"), ("RETRY-AFTER", "120")), body=b"busy")
    )
    outcome = await send(sender, endpoint.url())
    assert (outcome.status, outcome.body) == (503, b"busy")
    assert outcome.headers["retry-after"] == "120"
    assert outcome.error == "The endpoint answered 503."


async def test_connections_are_kept_and_used_again(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    for _ in range(20):
        assert (await send(sender, endpoint.url())).status == 200
    assert endpoint.connections == 1


async def test_a_kept_connection_that_the_endpoint_closed_costs_no_failure(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    farewell = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    for _ in range(5):
        endpoint.script(Answer(raw=farewell))
        assert (await send(sender, endpoint.url())).error is None
    assert len(endpoint.requests) == 5


async def test_an_empty_body_and_an_empty_header_are_sent_as_such(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    outcome = await sender.send(post(endpoint.url(), body=b"", headers=[("X-Empty", "")]))
    [request] = endpoint.requests
    assert outcome.error is None
    assert request.headers["content-length"] == "0"
    assert request.headers["x-empty"] == ""
    assert "content-type" not in request.headers


async def test_two_hundred_sends_at_once_all_arrive(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    requests = [post(endpoint.url(), body=b"%d" % number) for number in range(200)]
    outcomes = await asyncio.gather(*(sender.send(request) for request in requests))
    assert {outcome.status for outcome in outcomes} == {200}
    assert {request.body for request in endpoint.requests} == {b"%d" % n for n in range(200)}


# --- endpoints that misbehave ---------------------------------------------------------------


async def test_a_redirect_is_a_failure_and_is_not_followed(sender: CurlSender) -> None:
    async with ScriptedEndpoint() as other, ScriptedEndpoint() as endpoint:
        endpoint.script(Answer(status=307, headers=(("Location", other.url()),)))
        outcome = await send(sender, endpoint.url())
        assert outcome.status == 307
        assert outcome.error is not None
        assert "redirect" in outcome.error
        assert other.connections == 0


@pytest.mark.parametrize("size", [RESPONSE_BYTES + 1, 1 << 30])
async def test_a_2xx_counts_though_its_body_is_cut_off_at_the_cap(
    sender: CurlSender, endpoint: ScriptedEndpoint, size: int
) -> None:
    endpoint.script(Answer(endless_bytes=size))
    outcome = await send(sender, endpoint.url())
    assert (outcome.status, outcome.error) == (200, None)
    assert outcome.body == bytes(RESPONSE_BYTES)
    await endpoint.hung_up()


async def test_a_body_of_just_the_cap_is_taken_whole(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    endpoint.script(Answer(body=b"x" * RESPONSE_BYTES))
    outcome = await send(sender, endpoint.url())
    assert (outcome.status, outcome.body) == (200, b"x" * RESPONSE_BYTES)
    assert endpoint.open == 1


async def test_an_endpoint_that_drips_is_left_at_the_deadline_and_not_acknowledged(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    endpoint.script(Answer(body=b"x" * 100, drip_seconds=0.05))
    outcome = await send(sender, endpoint.url(), seconds=0.4)
    assert 0.35 < outcome.elapsed_seconds < 2.0
    assert outcome.status == 200
    assert outcome.error is not None
    assert "in time" in outcome.error
    assert not outcome.unreachable
    await endpoint.hung_up()


async def test_an_endpoint_that_says_nothing_is_left_at_the_deadline(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    endpoint.script(Answer(after=asyncio.Event()))
    outcome = await send(sender, endpoint.url(), seconds=0.3)
    assert 0.25 < outcome.elapsed_seconds < 2.0
    assert outcome.status is None
    assert outcome.error is not None
    assert "in time" in outcome.error
    await endpoint.hung_up()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\x01\x02\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 twohundred\r\n\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    ],
    ids=lambda raw: repr(raw[:40]),
)
async def test_garbage_is_no_answer(
    sender: CurlSender, endpoint: ScriptedEndpoint, raw: bytes
) -> None:
    endpoint.script(Answer(raw=raw))
    outcome = await send(sender, endpoint.url())
    assert (outcome.status, outcome.headers, outcome.unreachable) == (None, {}, False)
    assert outcome.error is not None
    assert outcome.elapsed_seconds < 5
    assert (await send(sender, endpoint.url())).status == 200


async def test_an_interim_answer_is_not_taken_for_the_answer(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    endpoint.script(Answer(raw=interim + b"HTTP/1.1 410 Gone\r\nX: y\r\n\r\n"))
    outcome = await send(sender, endpoint.url())
    assert (outcome.status, outcome.headers) == (410, {"x": "y"})


async def test_a_2xx_counts_though_its_body_breaks_off(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    endpoint.script(Answer(raw=b"HTTP/1.1 202 Accepted\r\nContent-Length: 90\r\n\r\nhalf"))
    outcome = await send(sender, endpoint.url())
    assert (outcome.status, outcome.error, outcome.body) == (202, None, b"half")


async def test_where_nobody_listens_the_endpoint_is_unreachable(sender: CurlSender) -> None:
    async with ScriptedEndpoint() as gone:
        url = gone.url()
    outcome = await send(sender, url)
    assert outcome.status is None
    assert outcome.unreachable
    assert outcome.error is not None
    assert "No connection" in outcome.error


# --- where nothing may be sent --------------------------------------------------------------


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
    exchange = Exchange(guard, AUTHORITY)
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


# --- DNS ------------------------------------------------------------------------------------


async def test_a_name_is_sent_to_at_the_address_that_was_vetted(endpoint: ScriptedEndpoint) -> None:
    resolver = FixedResolver("127.0.0.1")
    sender = CurlSender(DEV, SystemClock(), resolver=resolver)
    outcome = await send(sender, endpoint.url(host="hooks.example.com"))
    await sender.close()
    assert outcome.status == 200
    assert resolver.asked == ["hooks.example.com"]
    assert endpoint.requests[0].headers["host"] == f"hooks.example.com:{endpoint.port}"


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
    crowded = await send(sender, url, seconds=0.2)
    assert crowded.error == "Too many host names of this account wait for DNS."
    assert not crowded.unreachable
    assert len(resolver.asked) == DNS_QUERIES_PER_ACCOUNT + 1

    for task in stuck:
        task.cancel()
    await asyncio.gather(*stuck, return_exceptions=True)
    # Given up, but still being asked: their places stay taken.
    assert (await send(sender, url, seconds=0.2)).status is None
    await sender.close()


# --- TLS ------------------------------------------------------------------------------------


async def test_a_certificate_that_nobody_trusts_is_refused(
    sender: CurlSender, tls_endpoint: ScriptedEndpoint
) -> None:
    outcome = await send(sender, tls_endpoint.url())
    assert outcome.status is None
    assert outcome.error is not None
    assert "certificate" in outcome.error
    assert tls_endpoint.requests == []


async def test_a_certificate_of_a_given_authority_is_accepted_for_its_own_names_only(
    tls_endpoint: ScriptedEndpoint,
) -> None:
    sender = CurlSender(DEV, SystemClock(), ca_file=AUTHORITY, resolver=FixedResolver("127.0.0.1"))
    assert (await send(sender, tls_endpoint.url())).status == 200
    assert (await send(sender, tls_endpoint.url(host="hooks.example.com"))).status == 200
    outcome = await send(sender, tls_endpoint.url(host="other.example.com"))
    await sender.close()
    assert outcome.status is None
    assert outcome.error is not None
    assert "certificate" in outcome.error
    assert len(tls_endpoint.requests) == 2


async def test_https_to_an_endpoint_that_speaks_plainly_fails(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    outcome = await send(sender, f"https://127.0.0.1:{endpoint.port}/", seconds=0.5)
    assert outcome.status is None
    assert outcome.error is not None


# --- hanging up -----------------------------------------------------------------------------


async def test_cancelling_a_send_hangs_up_and_harms_no_other(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    never, later = asyncio.Event(), asyncio.Event()
    endpoint.script(Answer(after=never))
    cancelled = asyncio.create_task(send(sender, endpoint.url()))
    await endpoint.received(1)
    endpoint.script(Answer(after=later))
    other = asyncio.create_task(send(sender, endpoint.url()))
    await endpoint.received(2)

    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    async with asyncio.timeout(5):
        while endpoint.open > 1:
            await asyncio.sleep(0.005)

    later.set()
    assert (await other).status == 200
    assert (await send(sender, endpoint.url())).status == 200


async def test_closing_hangs_up_what_is_under_way_and_twice_is_fine(
    endpoint: ScriptedEndpoint,
) -> None:
    sender = CurlSender(DEV, SystemClock(), resolver=SilentResolver())
    endpoint.script(Answer(after=asyncio.Event()))
    waiting = asyncio.create_task(send(sender, endpoint.url()))
    looking = asyncio.create_task(send(sender, "https://tarpit.example.com/"))
    await endpoint.received(1)
    await sender.close()
    await sender.close()
    for outcome in await asyncio.gather(waiting, looking):
        assert outcome.status is None
        assert outcome.error is not None
        assert "stopped" in outcome.error
        assert not outcome.unreachable
    await endpoint.hung_up()
    assert (await send(sender, endpoint.url())).error is not None
    assert endpoint.connections == 1


async def test_three_hundred_sends_leave_no_descriptor_behind(endpoint: ScriptedEndpoint) -> None:
    async def round_of(count: int) -> None:
        sender = CurlSender(DEV, SystemClock())
        for number in range(count):
            if number % 3 == 0:
                endpoint.script(Answer(raw=b"HTTP/1.1 500 No\r\n\r\n"))
            elif number % 10 == 1:
                endpoint.script(Answer(close_after=0))
            host = "localhost" if number % 2 else "127.0.0.1"
            await send(sender, endpoint.url(host=host))
        await sender.close()
        await endpoint.hung_up()
        gc.collect()

    await round_of(5)
    before = await _settled_descriptors()
    await round_of(300)
    assert await _settled_descriptors() == before


async def _settled_descriptors() -> dict[str, str]:
    """Return what is open, once it no longer changes: c-ares is closed by a thread of its own."""
    found: dict[str, str] = {}
    for _ in range(100):
        seen = {}
        for descriptor in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # The listing's own is closed again.
                seen[descriptor.name] = str(descriptor.readlink())
        if seen == found:
            break
        found = seen
        await asyncio.sleep(0.1)
    return found
