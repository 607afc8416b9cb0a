"""An endpoint built by a vendor's tutorial gets the S&P 500's changes as callbacks (contract 2.5).

Real processes: a server, and plain Flask. What it was told is compared with what the changes imply.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import pytest

from tests.acceptance.processes import RunningServer
from tidings.clock import SystemClock
from tidings.demo.processes import Child, free_port, wait_until
from tidings.demo.sheet import Told, as_sheet, implied, load_numbers
from tidings.demo.source import load_revisions, publish_body

SOLUTION = "sheets"
BOUND_SECONDS = 60.0
GATHERED = ("--callback-gather-seconds", "0.1")


class Tutorial:
    """The tutorial's endpoint, running in its own process."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/my-sheet-webhook"
        self._file = folder / "received.jsonl"
        self._child = Child("endpoint", folder, SystemClock())

    def __enter__(self) -> Tutorial:
        app = Path(__file__).with_name("tutorial_endpoint.py")
        self._child.start("flask", ["--app", str(app), "run", "--port", str(self.port)])
        self._child.wait_until_ready(self._listens)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.kill()

    def _listens(self) -> bool:
        try:
            return httpx.get(self.url, trust_env=False, verify=False).status_code == 405
        except httpx.HTTPError:
            return False

    def callbacks(self) -> list[list[Told]]:
        """Return the events of each callback, in the order of their coming."""
        if not self._file.exists():
            return []
        return [
            [_told(event) for event in json.loads(line)]
            for line in self._file.read_text().splitlines()
        ]

    def told(self) -> list[Told]:
        """Return all events in the order of their coming."""
        return [event for callback in self.callbacks() for event in callback]


def _told(event: dict[str, Any]) -> Told:
    row = event["id"] if event["objectType"] == "row" else event["rowId"]
    return Told(event["objectType"], event["eventType"], row, event.get("columnId"))


@pytest.fixture
def server(own_database: str, tmp_path: Path) -> Iterator[RunningServer]:
    with RunningServer(tmp_path, *GATHERED, database=own_database) as running:
        yield running


def test_the_tutorials_endpoint_passes_the_challenge_and_is_told_of_each_change_once_and_in_order(
    server: RunningServer, tmp_path: Path
) -> None:
    revisions, numbers = load_revisions(), load_numbers()
    expected = list(implied(revisions, numbers))
    key = server.make_key()
    with (
        Tutorial(tmp_path) as endpoint,
        httpx.Client(headers={"Authorization": f"Bearer {key}"}, trust_env=False) as client,
        server.client(key) as ours,
    ):
        ours.register_application(SOLUTION, str(numbers.sheet))
        webhooks = f"{server.url}/2.0/webhooks"
        wish = {
            "name": "S&P 500",
            "callbackUrl": endpoint.url,
            "scope": "sheet",
            "scopeObjectId": numbers.sheet,
            "events": ["*.*"],
            "version": 1,
        }
        number = client.post(webhooks, json=wish).json()["result"]["id"]
        enabled = client.put(f"{webhooks}/{number}", json={"enabled": True}).json()["result"]
        assert (enabled["status"], enabled["enabled"]) == ("ENABLED", True)
        for revision in revisions:
            body = publish_body(as_sheet(revision, numbers), SOLUTION, str(numbers.sheet))
            ours.publish(body, idempotency_key=f"revision-{revision.number}")
        wait_until(
            lambda: len(endpoint.told()) >= len(expected),
            BOUND_SECONDS,
            SystemClock(),
            "the endpoint wasn't told of everything in time",
        )
        assert endpoint.told() == expected
        assert max(map(len, endpoint.callbacks())) == 1_000
        stands = client.get(f"{webhooks}/{number}").json()
        assert stands["status"] == "ENABLED"
        assert stands["stats"]["lastCallbackAttemptRetryCount"] == 0
