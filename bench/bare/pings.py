"""Pings without the product: pycurl's multi interface in a loop of its own, and nothing else.

The same number of bytes to the same receiver, over connections that are kept; no webhooks, no log,
no signatures, no vetting. `python -m bench.bare.pings PORT COUNT AT_ONCE` prints a Slice.
"""

from __future__ import annotations

import os
import sys

import msgspec
import pycurl

from bench.report import Slice
from tidings.clock import SystemClock

_BODY = msgspec.json.encode(
    {
        "webhookId": "f0bd5e90-02bb-8017-9294-f885e3e94559",
        "locator": {"accountId": "account-1", "solutionId": "641b70cb0d94c969a49983aa"},
        "timestamp": "2026-03-01T10:20:30.000Z",
        "transactionNumber": 1_823_456_789_012_345,
    }
)
_HEADERS = [
    "Content-Type: application/json",
    "User-Agent: tidings/0.1.0",
    "webhook-id: f0bd5e90-02bb-8017-9294-f885e3e94559.1823456789012345",
    "webhook-timestamp: 1772360430",
    "webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
]
_SELECT_SECONDS = 1.0


def run(port: int, count: int, at_once: int) -> Slice:
    """Send `count` pings, `at_once` of them at a time."""
    clock = SystemClock()
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_MAXCONNECTS, at_once)
    for _ in range(min(count, at_once)):
        multi.add_handle(_handle(port))
    waiting, done = count - min(count, at_once), 0
    began = clock.monotonic()
    while done < count:
        multi.perform()
        left = 1
        while left:
            left, well, badly = multi.info_read()
            if badly:
                raise RuntimeError(badly[0][2])
            for easy in well:
                done += 1
                multi.remove_handle(easy)
                if waiting:
                    waiting -= 1
                    multi.add_handle(easy)
        if done < count:
            multi.select(_SELECT_SECONDS)
    times = os.times()
    return Slice(
        done=done, seconds=clock.monotonic() - began, cpu_seconds=times.user + times.system
    )


def _handle(port: int) -> pycurl.Curl:
    easy = pycurl.Curl()
    easy.setopt(pycurl.URL, f"http://127.0.0.1:{port}/hook")
    easy.setopt(pycurl.HTTPHEADER, _HEADERS)
    easy.setopt(pycurl.POSTFIELDS, _BODY)
    easy.setopt(pycurl.TIMEOUT_MS, 25_000)
    easy.setopt(pycurl.WRITEFUNCTION, len)
    easy.setopt(pycurl.NOSIGNAL, 1)
    return easy


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(run(*map(int, sys.argv[1:]))))
