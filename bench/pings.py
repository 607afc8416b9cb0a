"""How many pings a second reach an endpoint on this machine, at 64 and at 256 in flight.

A change in each of 16 accounts owes a ping to each of their webhooks at once. Over many webhooks
that no key has listed, so that the pace (one a second for a webhook, three for a key) doesn't bind.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench.filling import Filling, Wished, fill, url_of
from bench.processes import Process, running, tidings
from bench.receiver import Seen
from bench.report import Row, Slice, compared
from bench.sizes import Sizes
from bench.traffic import publication
from tidings.clock import SystemClock

AT_ONCE = (64, 256)
_ACCOUNTS = 16
"""An account has at most an eighth of the slots, and 16 for one host."""
_SOLUTION = "641b70cb0d94c969a49983aa"
_LEAST = 0.5
_BURST_SECONDS = 120.0
_LOOK_SECONDS = 0.05
_PACE_SECONDS = 1.1
"""After a burst, until each webhook may be pinged again."""


def measure(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Measure bursts of pings beside a bare loop of libcurl, to the same receiver."""
    each = sizes.pings // _ACCOUNTS
    with running("bench.receiver", 0, log=folder / "receiver.log") as receiver:
        for at_once in AT_ONCE:
            file = folder / f"pings-{at_once}.db"
            keys = _filled(file, receiver.port, each)
            with tidings(url_of(file), folder, "--sends", at_once) as ours:
                pairs = [
                    (
                        _burst(ours, receiver, keys, each * _ACCOUNTS),
                        _bare(receiver, each * _ACCOUNTS, at_once),
                    )
                    for _ in range(sizes.rounds)
                ]
            yield compared(
                f"pings, {at_once} at once",
                "pings/s",
                pairs,
                least_ratio=_LEAST,
                note=f"{each * _ACCOUNTS:,} webhooks that no key has listed: the pace doesn't bind",
            )


def _filled(file: Path, port: int, each: int) -> Sequence[str]:
    async def filled(filling: Filling) -> list[str]:
        keys = []
        url = f"http://127.0.0.1:{port}/hook"
        for number in range(_ACCOUNTS):
            account = f"account-{number}"
            wish = Wished(account=account, solution=_SOLUTION, url=url)
            await filling.webhooks([wish] * each)
            keys.append(await filling.key(account))
        return keys

    return fill(url_of(file), filled)


def _burst(ours: Process, receiver: Process, keys: Sequence[str], owed: int) -> Slice:
    """Publish a change in every account, and wait until each webhook is pinged."""
    clock = SystemClock()
    clock.pause(_PACE_SECONDS)
    seen_by(receiver)
    cpu, ends_at = ours.cpu_seconds(), clock.monotonic() + _BURST_SECONDS
    server = http.client.HTTPConnection("127.0.0.1", ours.port, timeout=30)
    body = publication(_SOLUTION, 1)
    for key in keys:
        headers = {"Authorization": f"Token {key}", "Content-Type": "application/json"}
        server.request("POST", "/v1/changes", body, headers)
        answer = server.getresponse()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(answer.read().decode())
        answer.read()
    server.close()
    whole = Seen()
    while whole.count < owed:
        if clock.monotonic() > ends_at:
            raise RuntimeError(f"{whole.count} of {owed} pings came")
        clock.pause(_LOOK_SECONDS)
        seen = seen_by(receiver)
        if seen.count:
            first_at = whole.first_at or seen.first_at
            whole = Seen(whole.count + seen.count, first_at, seen.last_at)
    return Slice(
        done=whole.count,
        seconds=whole.last_at - whole.first_at,
        cpu_seconds=ours.cpu_seconds() - cpu,
    )


def _bare(receiver: Process, count: int, at_once: int) -> Slice:
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "bench.bare.pings", *map(str, (receiver.port, count, at_once))],
        stdout=subprocess.PIPE,
        timeout=_BURST_SECONDS,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Slice)


def seen_by(receiver: Process) -> Seen:
    """Ask a receiver what it has seen since it was asked last."""
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=30)
    connection.request("GET", "/seen")
    seen = msgspec.json.decode(connection.getresponse().read(), type=Seen)
    connection.close()
    return seen
