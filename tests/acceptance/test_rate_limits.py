"""The limits of a real server as it is started without a word about them, and with one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.processes import RunningServer, changes_body
from tidings.domain.limits import REQUESTS_PER_SECOND

ASKED = 200
"""At most: far more than a second may hold."""


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with the contract's rate, and no limit of its own for publishing."""
    rate, folder = ("--requests-per-second", str(REQUESTS_PER_SECOND)), "rates"
    with RunningServer(tmp_path_factory.mktemp(folder), *rate, database=database) as running:
        yield running


def test_a_server_keeps_the_contracts_rate_unless_it_is_told_another(
    server: RunningServer,
) -> None:
    """Real time: what is refused isn't 30 s late."""
    key = server.make_key("admin")
    *taken, refused = until_refused(lambda: server.call("ListWebhooks", key, {}))
    assert [answer.status_code for answer in taken[:5]] == [200] * 5
    assert taken[0].headers["ratelimit-remaining"] == "4"
    assert refused.headers["retry-after"] == "30"
    assert server.call("ListWebhooks", key, {}).status_code == 429
    # Neither another key nor publishing with this one is held up by the penalty.
    assert server.call("ListWebhooks", server.make_key("subscriber"), {}).status_code == 200
    bodies = [changes_body("crm", number) for number in range(10)]
    assert all(server.publish(key, body).status_code == 200 for body in bodies)


def test_publishing_has_a_limit_where_it_is_given_one(own_database: str, tmp_path: Path) -> None:
    limit = ("--publish-requests-per-second", "2")
    with RunningServer(tmp_path, *limit, database=own_database) as server:
        key = server.make_key("publisher")
        *taken, refused = until_refused(lambda: server.publish(key, changes_body("crm", 1)))
        assert [answer.status_code for answer in taken[:2]] == [200, 200]
        assert refused.headers["retry-after"] == "1"


def test_a_client_keeps_within_the_rate_by_what_it_is_told(server: RunningServer) -> None:
    """Twelve requests in a row, by a client without patience: a refusal would raise."""
    with server.client(server.make_key("subscriber"), patience_seconds=0) as client:
        assert [list(client.list_webhooks().webhooks) for _ in range(12)] == [[]] * 12


def until_refused(ask: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """Ask one after the other up to the first refusal, which comes when a second holds too many.

    On a machine that is busy a second holds few: how many may be taken is told in virtual time.
    """
    answers = [ask()]
    while answers[-1].status_code != 429:
        assert len(answers) < ASKED, "never refused"
        answers.append(ask())
    return answers
