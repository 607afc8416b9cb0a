"""Which URLs are taken, and that libcurl reads the same host and port out of them as we do."""

from __future__ import annotations

import socket
from typing import Any

import certifi
import pycurl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tidings.domain.address import UNSAFE_PORTS, AddressPolicy, parse_endpoint
from tidings.domain.limits import URL_LENGTH
from tidings.errors import InvalidArgument
from tidings.sender.exchange import Exchange
from tidings.sender.guard import Guard

PRODUCTION = AddressPolicy()
DEV = AddressPolicy(dev=True)
PINNED = "198.51.100.77"

REFUSED = {
    "": "https://",
    "hooks.example.com": "https://",
    "//hooks.example.com/": "https://",
    "ftp://hooks.example.com/": "https://",
    "file:///etc/passwd": "https://",
    "gopher://hooks.example.com/": "https://",
    "https:hooks.example.com": "https://",
    "https:/hooks.example.com": "https://",
    "http://hooks.example.com/": "https://",
    "https://": "no host",
    "https:///path": "no host",
    "https://?query": "no host",
    "https://:443/": "no host",
    "https://user@hooks.example.com/": "user name",
    "https://user:secret@hooks.example.com/": "user name",
    "https://hooks.example.com@127.0.0.1/": "user name",
    "https://@hooks.example.com/": "user name",
    "https://hooks.example.com/#fragment": "fragment",
    "https://hooks.example.com#@127.0.0.1/": "fragment",
    "https://hooks.example.com\\@127.0.0.1/": "character",
    "https://hooks.example.com/a b": "character",
    " https://hooks.example.com/": "character",
    "https://hooks.example.com/\r\nX: y": "character",
    "https://hooks.example.com/\x00": "character",
    "https://hooks.example\t.com/": "character",
    "https://bücher.example/": "character",
    "https://127。0。0。1/": "character",
    "https://①②⑦.0.0.1/": "character",
    "https://hooks.example.com:/": "port",
    "https://hooks.example.com:0/": "port",
    "https://hooks.example.com:65536/": "port",
    "https://hooks.example.com:-1/": "port",
    "https://hooks.example.com:+443/": "port",
    "https://hooks.example.com:4_4/": "port",
    "https://hooks.example.com:443:80/": "port",
    "https://hooks.example.com:0x1bb/": "port",
    "https://hooks.example.com:22/": "another protocol",
    "https://hooks.example.com:25/": "another protocol",
    "https://hooks.example.com:6667/": "another protocol",
    "https://hooks.example.com./": "dot",
    "https://hooks..example.com/": "not a name",
    "https://.example.com/": "not a name",
    "https://-hooks.example.com/": "not a name",
    "https://hooks-.example.com/": "not a name",
    "https://*.example.com/": "not a name",
    "https://hooks%2eexample.com/": "not a name",
    "https://%31%32%37.0.0.1/": "not a name|IPv4",
    f"https://{'a' * 64}.example.com/": "not a name",
    f"https://{'a.' * 127}com/": "253",
    "https://localhost/": "localhost",
    "https://LOCALHOST/": "localhost",
    "https://hooks.localhost/": "localhost",
    "https://intranet/": "domain",
    "https://2130706433/": "IPv4",
    "https://0x7f000001/": "IPv4",
    "https://0x7f.1/": "IPv4",
    "https://127.1/": "IPv4",
    "https://0177.0.0.1/": "IPv4",
    "https://127.0.0.1./": "IPv4",
    "https://127.0.0.0x1/": "IPv4",
    "https://1.2.3.4.5/": "IPv4",
    "https://256.1.1.1/": "IPv4",
    "https://hooks.example.1/": "IPv4",
    "https://hooks.example.0x/": "IPv4",
    "https://127.0.0.1/": "loopback",
    "https://10.0.0.1/": "private",
    "https://169.254.169.254/latest/meta-data/": "cloud",
    "https://[::1]/": "loopback",
    "https://[::]/": "unspecified",
    "https://[::ffff:127.0.0.1]/": "loopback",
    "https://[::ffff:7f00:1]/": "loopback",
    "https://[64:ff9b::a00:1]/": "private",
    "https://[fe80::1%25eth0]/": "character|zone",
    "https://[fe80::1%eth0]/": "zone",
    "https://[::1/": "brackets",
    "https://[::1]x/": "brackets",
    "https://[]/": "brackets",
    "https://[127.0.0.1]/": "brackets",
    "https://[v1.a]/": "brackets",
    "https://::1/": "port",
}


@pytest.mark.parametrize(("url", "said"), REFUSED.items(), ids=ascii)
def test_a_url_that_parsers_could_differ_on_is_refused_with_advice(url: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said) as refusal:
        parse_endpoint(url, PRODUCTION, argument="webhook.url")
    assert refusal.value.argument == "webhook.url"
    assert refusal.value.message.endswith(".")


@pytest.mark.parametrize(
    ("url", "sent_to"),
    {
        "https://hooks.example.com": "https://hooks.example.com/",
        "HTTPS://Hooks.Example.COM:443/A": "https://hooks.example.com/A",
        "https://hooks.example.com:8443?a=b": "https://hooks.example.com:8443/?a=b",
        "https://hooks.example.com:00443/": "https://hooks.example.com/",
        "https://xn--bcher-kva.example/": "https://xn--bcher-kva.example/",
        "https://my_hook.example.com/a@b:c;d=e,f": "https://my_hook.example.com/a@b:c;d=e,f",
        "https://hooks.example.com/%7Bid%7D/../x?y=[1]&z": (
            "https://hooks.example.com/%7Bid%7D/../x?y=[1]&z"
        ),
        "https://hooks.example.com?@127.0.0.1/": "https://hooks.example.com/?@127.0.0.1/",
        "https://8.8.8.8/": "https://8.8.8.8/",
        "https://[2606:4700:0:0::1111]:443/": "https://[2606:4700::1111]/",
    }.items(),
)
def test_what_is_sent_to_is_made_of_the_parts_that_were_judged(url: str, sent_to: str) -> None:
    assert parse_endpoint(url, PRODUCTION).url == sent_to


def test_dev_opens_http_loopback_and_every_port_but_no_metadata() -> None:
    for url in (
        *("http://127.0.0.1:8080/", "http://localhost:6667/", "http://[::1]:1/", "https://box/"),
        "http://[::ffff:127.0.0.1]/",
    ):
        assert parse_endpoint(url, DEV).url == url.replace("127.0.0.1]", "7f00:1]")
    for url in ("http://169.254.169.254/", "http://10.0.0.1/", "http://0.0.0.0/", "http://127.1/"):
        with pytest.raises(InvalidArgument):
            parse_endpoint(url, DEV)


def test_a_url_may_have_so_many_characters_and_not_one_more() -> None:
    longest = "https://hooks.example.com/".ljust(URL_LENGTH, "a")
    assert parse_endpoint(longest, PRODUCTION).url == longest
    with pytest.raises(InvalidArgument, match=str(URL_LENGTH)):
        parse_endpoint(longest + "a", PRODUCTION)


def test_the_ports_that_browsers_refuse_are_those_of_other_protocols() -> None:
    assert {21, 22, 25, 110, 143, 6000, 6667, 10080} <= UNSAFE_PORTS
    assert not {80, 443, 8000, 8008, 8080, 8443, 3000} & UNSAFE_PORTS
    assert len(UNSAFE_PORTS) == 82


_PIECES = st.sampled_from(
    [
        *("https://", "http://", "HTTPS:", "//", "/", "?", "#", "@", ":", "[", "]", "%", "\\", ";"),
        *("%00", "%0d%0a", "%2e", "%25", "\r\n", "\t", " ", "\x00", ".", "..", "-", "_", "&", "="),
        *("hooks.example.com", "localhost", "127.0.0.1", "127.1", "0x7f.1", "2130706433", "::1"),
        *("[::1]", "[::ffff:127.0.0.1]", "[2606:4700::1]", "8.8.8.8", "xn--bcher-kva", "a", "0"),
        *("443", "80", ":443", ":8443", ":22", "user:secret", "。", "①", "ß", "\u200b", "\ud800"),
    ]
)
_URLS = st.one_of(
    st.text(max_size=60),
    st.lists(_PIECES, max_size=8).map("".join),
    st.lists(_PIECES, max_size=6).map(lambda pieces: "https://" + "".join(pieces)),
)


@given(_URLS, st.booleans())
@example("https://[", False)
@example("https://" + "1" * 5000, True)
@settings(max_examples=500)
def test_any_text_is_either_an_endpoint_or_an_invalid_argument(url: str, dev: bool) -> None:
    policy = AddressPolicy(dev=dev)
    try:
        endpoint = parse_endpoint(url, policy)
    except InvalidArgument:
        return
    assert parse_endpoint(endpoint.url, policy) == endpoint


def _connects_to(url: str, pinned: Exchange) -> list[Any]:
    """Return what libcurl asks to connect to for `url`."""
    asked = []

    def refuse(_purpose: int, address: Any) -> int:
        asked.append((address.family, *address.addr[:2]))
        return int(pycurl.SOCKET_BAD)

    pinned.easy.setopt(pycurl.OPENSOCKETFUNCTION, refuse)
    pinned.easy.setopt(pycurl.URL, url)
    with pytest.raises(pycurl.error) as failure:
        pinned.easy.perform()
    assert failure.value.args[0] == pycurl.E_COULDNT_CONNECT, (url, failure.value)
    return asked


@given(_URLS)
@example("https://hooks.example.com?@127.0.0.1/")
@example("https://hooks.example.com/@127.0.0.1:80/")
@example("https://hooks.example.com:00443/../..//x")
@example("http://[::ffff:127.0.0.1]:81/")
@example("http://localhost/")
@settings(max_examples=500, deadline=None)
def test_libcurl_connects_to_the_host_and_port_that_were_judged(url: str) -> None:
    try:
        endpoint = parse_endpoint(url, DEV)
    except InvalidArgument:
        return
    exchange = Exchange(Guard(DEV, frozenset), certifi.where(), pycurl.Curl())
    try:
        # The pin of an IPv6 address fits its shortest form only; the URL that is sent to has it.
        for text in (endpoint.url,) if "[" in url else (endpoint.url, url):
            exchange.prepare(endpoint, [PINNED], [], b"", 1.0)
            asked = _connects_to(text, exchange)
            assert asked == [(socket.AF_INET, PINNED, endpoint.port)]
    finally:
        exchange.close()


def test_libcurl_resolves_nothing_by_itself() -> None:
    exchange = Exchange(Guard(DEV, frozenset), certifi.where(), pycurl.Curl())
    exchange.prepare(parse_endpoint("http://hooks.example.com/", DEV), [PINNED], [], b"", 1.0)
    try:
        for url in ("http://localhost/", "http://127.0.0.1/", "http://other.example.com/"):
            exchange.easy.setopt(pycurl.URL, url)
            with pytest.raises(pycurl.error) as failure:
                exchange.easy.perform()
            assert failure.value.args[0] == pycurl.E_ABORTED_BY_CALLBACK
    finally:
        exchange.close()
