"""How many callbacks a second a receiver accepts: verified, new, and durably kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench.load import Load, run_load
from bench.processes import Process, running
from bench.report import Row, Slice, compared
from bench.sizes import Sizes
from tidings.clock import SystemClock
from tidings.domain.signing import CALLBACK_SIGNATURE, sign_callback

SECRET = "3qo29mvjou6xt5fujukjtwzhj0"  # noqa: S105 - it opens nothing
_ROW = 7129509179746180
_EVENTS = (
    {"objectType": "row", "eventType": "updated", "id": _ROW},
    {"objectType": "cell", "eventType": "updated", "rowId": _ROW, "columnId": 2650235767940996},
    {"objectType": "cell", "eventType": "updated", "rowId": _ROW, "columnId": 2650235767940997},
)
_MOST_A_SECOND = 20_000
"""Requests are made beforehand; a receiver that took more of them would see repetitions."""
_LEAST = 0.35


def measure(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Measure a receiver beside its framework, each callback a new one."""
    with (
        running("bench.receiving", folder / "inbox.db", log=folder / "receiving.log") as ours,
        running("bench.bare.callbacks", log=folder / "bare.log") as bare,
    ):

        def both(seconds: float, name: str) -> tuple[Slice, Slice]:
            requests = _requests(name, sizes, seconds)
            accepted = _loaded(ours, sizes, seconds, requests)
            if accepted.done > len(requests):
                raise RuntimeError(f"more than {_MOST_A_SECOND:,} a second: some were repetitions")
            return accepted, _loaded(bare, sizes, seconds, requests)

        both(sizes.seconds / 4, "warm")
        pairs = [both(sizes.seconds, str(number)) for number in range(sizes.rounds)]
    yield compared("receive", "callbacks/s", pairs, least_ratio=_LEAST)


def _loaded(process: Process, sizes: Sizes, seconds: float, requests: Sequence[bytes]) -> Slice:
    load = Load(
        port=process.port,
        connections=sizes.connections,
        seconds=seconds,
        requests=requests,
        stride=sizes.connections,
    )
    before = process.cpu_seconds()
    result = run_load(load)
    if result.failed or not result.answered:
        raise RuntimeError(f"{result.failed} callbacks failed, {result.answered} didn't")
    return Slice(
        done=result.answered,
        seconds=result.seconds,
        cpu_seconds=process.cpu_seconds() - before,
    )


def _requests(name: str, sizes: Sizes, seconds: float) -> Sequence[bytes]:
    """Return callbacks of now, each with a nonce of its own."""
    count = max(sizes.connections, round(seconds * _MOST_A_SECOND))
    timestamp = f"{SystemClock().now():%Y-%m-%dT%H:%M:%S}.000+0000"
    more = {"userId": 9007194052434043, "timestamp": timestamp}
    tail = {
        "timestamp": timestamp,
        "webhookId": 4503604829677444,
        "scope": "sheet",
        "scopeObjectId": 4509506114742148,
        "events": [event | more for event in _EVENTS],
    }
    encoded = msgspec.json.encode(tail)[1:]
    return [_request(b'{"nonce":"%b",%b' % (_nonce(name, n), encoded)) for n in range(count)]


def _nonce(name: str, number: int) -> bytes:
    """Return a nonce that is as scattered as a sender's."""
    return hashlib.sha256(f"{name}.{number}".encode()).hexdigest()[:36].encode()


def _request(body: bytes) -> bytes:
    head = (
        f"POST /hook HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"smartsheet-hook-id: 4503604829677444\r\n"
        f"{CALLBACK_SIGNATURE}: {sign_callback(SECRET, body)}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
