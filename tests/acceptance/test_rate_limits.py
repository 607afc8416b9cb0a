"""The limits of a real server as it is started without a word about them, and with one."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.acceptance.processes import RunningServer, changes_body
from tidings.domain.limits import REQUESTS_PER_SECOND


def test_a_server_keeps_the_contracts_rate_unless_it_is_told_another(tmp_path: Path) -> None:
    """Real time: six requests take far less than a second, and what is refused isn't 30 s late."""
    with RunningServer(tmp_path, "--requests-per-second", str(REQUESTS_PER_SECOND)) as server:
        key = server.make_key("admin")
        answers = [server.call("ListWebhooks", key, {}) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        assert answers[0].headers["ratelimit-remaining"] == "4"
        assert answers[6].headers["retry-after"] == "30"
        # Neither another key nor publishing with this one is held up by the penalty.
        assert server.call("ListWebhooks", server.make_key("subscriber"), {}).status_code == 200
        assert all(publish(server, key, n).status_code == 200 for n in range(10))


def test_publishing_has_a_limit_where_it_is_given_one(tmp_path: Path) -> None:
    with RunningServer(tmp_path, "--publish-requests-per-second", "2") as server:
        key = server.make_key("publisher")
        answers = [publish(server, key, number) for number in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].headers["retry-after"] == "1"


def test_a_client_keeps_within_the_rate_by_what_it_is_told(tmp_path: Path) -> None:
    """Twelve requests in a row, by a client without patience: a refusal would raise."""
    with (
        RunningServer(tmp_path, "--requests-per-second", str(REQUESTS_PER_SECOND)) as server,
        server.client(server.make_key("subscriber"), patience_seconds=0) as client,
    ):
        assert [list(client.list_webhooks().webhooks) for _ in range(12)] == [[]] * 12


def publish(server: RunningServer, key: str, number: int) -> httpx.Response:
    return httpx.post(
        f"{server.url}/v1/changes",
        headers={"Authorization": f"Token {key}", "Content-Type": "application/json"},
        content=changes_body("crm", number),
        trust_env=False,
    )
