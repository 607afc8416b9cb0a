"""Callbacks without the product: the bare loop of bench/bare/pings.py, with callbacks' bytes.

`python -m bench.bare.calls PORT COUNT AT_ONCE BODY_BYTES` prints a Slice.
"""

from __future__ import annotations

import sys

import msgspec

from bench.bare.pings import Post, sent
from bench.report import Slice


def _call(port: int, number: int, size: int) -> Post:
    headers = [
        "Expect:",
        "User-Agent: tidings/0.1.0",
        "Content-Type: application/json",
        f"Smartsheet-Hook-Id: {4_503_599_627_370_496 + number}",
        "Smartsheet-Hmac-SHA256: 567e4f8a359b5d940fd0d47d5187246edaabe597db243da041b293302ecdc028",
    ]
    return Post(f"http://127.0.0.1:{port}/hook/{number}", headers, b"{}".ljust(size))


def run(port: int, count: int, at_once: int, size: int) -> Slice:
    """Send `count` callbacks of so many bytes, `at_once` of them at a time."""
    return sent([_call(port, number, size) for number in range(count)], at_once)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(run(*map(int, sys.argv[1:]))))
