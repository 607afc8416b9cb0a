"""Pings without the product: pycurl's multi interface in a loop of its own, and nothing else.

Each ping has its own URL, headers and body, as many bytes as the product's, made before the clock
runs; connections are kept. No webhooks, no log, no signing, no vetting.
`python -m bench.bare.pings PORT COUNT AT_ONCE` prints a Slice.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

import msgspec
import pycurl

from bench.report import Slice
from tidings.clock import SystemClock

_FIRST_POSITION = 1_823_456_789_012_345
_SELECT_SECONDS = 1.0
_OK = 200


class Post(msgspec.Struct, frozen=True):
    """One POST, made beforehand."""

    url: str
    headers: list[str]
    body: bytes


def _ping(port: int, number: int) -> Post:
    webhook_id = f"f0bd5e90-02bb-8017-9294-{number:012x}"
    position = _FIRST_POSITION + number
    locator = {
        "accountId": "account-1",
        "solutionId": "641b70cb0d94c969a49983aa",
        "applicationId": "646536cac79b49252b0f94f5",
    }
    body = {
        "webhookId": webhook_id,
        "locator": locator,
        "timestamp": "2026-03-01T10:20:30.000Z",
        "transactionNumber": position,
    }
    headers = [
        "Expect:",
        "User-Agent: tidings/0.1.0",
        "Content-Type: application/json",
        f"webhook-id: {webhook_id}.{position}",
        "webhook-timestamp: 1772360430",
        "webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ]
    return Post(f"http://127.0.0.1:{port}/hook", headers, msgspec.json.encode(body))


def run(port: int, count: int, at_once: int) -> Slice:
    """Send `count` pings, `at_once` of them at a time."""
    return sent([_ping(port, number) for number in range(count)], at_once)


def sent(posts: Sequence[Post], at_once: int) -> Slice:
    """Send what is there, `at_once` of it at a time, and say how long that took."""
    clock, began_cpu = SystemClock(), _cpu_seconds()
    began = clock.monotonic()
    _send_all(iter(posts), len(posts), at_once)
    return Slice(
        done=len(posts),
        seconds=clock.monotonic() - began,
        cpu_seconds=_cpu_seconds() - began_cpu,
    )


def _send_all(waiting: Iterator[Post], count: int, at_once: int) -> None:
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_MAXCONNECTS, at_once)
    for _ in range(min(count, at_once)):
        multi.add_handle(_prepared(_handle(), next(waiting)))
    done = 0
    while done < count:
        multi.perform()
        left = 1
        while left:
            left, well, badly = multi.info_read()
            if badly:
                raise RuntimeError(badly[0][2])
            for easy in well:
                if easy.getinfo(pycurl.RESPONSE_CODE) != _OK:
                    raise RuntimeError("a ping wasn't acknowledged")
                done += 1
                multi.remove_handle(easy)
                ping = next(waiting, None)
                if ping is not None:
                    multi.add_handle(_prepared(easy, ping))
        if done < count:
            multi.select(_SELECT_SECONDS)


def _handle() -> pycurl.Curl:
    easy = pycurl.Curl()
    easy.setopt(pycurl.TIMEOUT_MS, 25_000)
    easy.setopt(pycurl.WRITEFUNCTION, len)
    easy.setopt(pycurl.NOSIGNAL, 1)
    return easy


def _prepared(easy: pycurl.Curl, ping: Post) -> pycurl.Curl:
    easy.setopt(pycurl.URL, ping.url)
    easy.setopt(pycurl.HTTPHEADER, ping.headers)
    easy.setopt(pycurl.POSTFIELDS, ping.body)
    return easy


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(run(*map(int, sys.argv[1:]))))
