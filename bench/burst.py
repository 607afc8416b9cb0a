"""A burst: one publish in each of many accounts owes something to all of their webhooks at once."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Sequence

import msgspec

from bench.processes import Process
from bench.receiver import Seen
from bench.report import Slice
from tidings.clock import SystemClock

ACCOUNTS = 16
"""An account has at most an eighth of the slots, and 16 for one host."""
PACE_SECONDS = 1.1
"""After a burst, until each webhook may be sent something again."""

_BURST_SECONDS = 120.0
_LOOK_SECONDS = 0.05


def burst(
    ours: Process, receiver: Process, keys: Sequence[str], publication: bytes, owed: int
) -> Slice:
    """Publish with every account's key, and wait until the receiver was sent all that is owed.

    Raises RuntimeError where a publish is refused, or not all of it comes in two minutes.
    """
    SystemClock().pause(PACE_SECONDS)
    seen_by(receiver)
    cpu = ours.cpu_seconds()
    _publish(ours, keys, publication)
    seen = all_seen(receiver, owed)
    return Slice(
        done=seen.count,
        seconds=seen.last_at - seen.first_at,
        cpu_seconds=ours.cpu_seconds() - cpu,
    )


def all_seen(receiver: Process, owed: int) -> Seen:
    """Wait until a receiver has seen all that it is owed. Raises RuntimeError after two minutes."""
    clock, whole = SystemClock(), Seen()
    ends_at = clock.monotonic() + _BURST_SECONDS
    while whole.count < owed:
        if clock.monotonic() > ends_at:
            raise RuntimeError(f"{whole.count} of {owed} notifications came")
        clock.pause(_LOOK_SECONDS)
        seen = seen_by(receiver)
        if seen.count:
            first_at = whole.first_at or seen.first_at
            whole = Seen(whole.count + seen.count, first_at, seen.last_at)
    return whole


def seen_by(receiver: Process) -> Seen:
    """Ask a receiver what it has seen since it was asked last."""
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=30)
    connection.request("GET", "/seen")
    seen = msgspec.json.decode(connection.getresponse().read(), type=Seen)
    connection.close()
    return seen


def bare_burst(module: str, *arguments: int) -> Slice:
    """Run a bare loop of its own process, which prints its Slice."""
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", module, *map(str, arguments)],
        stdout=subprocess.PIPE,
        timeout=_BURST_SECONDS,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Slice)


def _publish(ours: Process, keys: Sequence[str], publication: bytes) -> None:
    server = http.client.HTTPConnection("127.0.0.1", ours.port, timeout=30)
    for key in keys:
        headers = {"Authorization": f"Token {key}", "Content-Type": "application/json"}
        server.request("POST", "/v1/changes", publication, headers)
        answer = server.getresponse()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(answer.read().decode())
        answer.read()
    server.close()
