"""5 requests a second for a key, then 30 s of 429, at the exact virtual time (contract 1.8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import structlog

from tests.api.installation import Installation, installed
from tidings.domain.key import Role
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def limited(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Installation]:
    """An installation with the contract's limit."""
    async with installed(tmp_path, clock, requests_per_second=5) as opened:
        yield opened


def fields(answer: httpx.Response) -> tuple[str, str, str]:
    """Return limit, remaining and reset."""
    names = ("limit", "remaining", "reset")
    limit, remaining, reset = (answer.headers[f"ratelimit-{name}"] for name in names)
    return limit, remaining, reset


async def ask(limited: Installation, times: int = 1, *, key: str | None = None) -> list[int]:
    """Ask so often at this instant; return the statuses."""
    answers = [await limited.post("ListWebhooks", key=key) for _ in range(times)]
    return [answer.status_code for answer in answers]


async def test_the_sixth_request_of_a_second_begins_thirty_seconds_of_429(
    limited: Installation, clock: ManualClock
) -> None:
    assert await ask(limited, 6) == [200] * 5 + [429]
    await clock.advance(29.999)
    assert await ask(limited) == [429]
    await clock.advance(0.001)
    assert await ask(limited) == [200]


async def test_a_refusal_says_when_to_come_back_and_who_does_is_served(
    limited: Installation, clock: ManualClock
) -> None:
    await ask(limited, 6)
    for passed, told in ((0.0, "30"), (10.0, "20"), (19.5, "1")):
        await clock.advance(passed)
        refused = await limited.post("ListWebhooks")
        assert refused.status_code == 429
        assert refused.json()["code"] == "resource_exhausted"
        assert refused.headers["retry-after"] == told
        assert fields(refused) == ("5", "0", told)
    await clock.advance(1)
    assert await ask(limited) == [200]


async def test_every_answer_says_where_its_key_stands(
    limited: Installation, clock: ManualClock
) -> None:
    assert fields(await limited.post("ListWebhooks")) == ("5", "4", "1")
    missing = await limited.post("GetWebhook", {"webhook_id": "none"})
    assert missing.status_code == 404
    assert fields(missing) == ("5", "3", "1")
    unreadable = await limited.post("GetWebhook", b"{")
    assert unreadable.status_code == 400
    assert fields(unreadable) == ("5", "2", "1")
    await clock.advance(1)
    assert fields(await limited.post("ListWebhooks")) == ("5", "4", "1")


async def test_a_key_hammered_during_its_penalty_is_served_when_it_ends_and_others_all_along(
    limited: Installation, clock: ManualClock
) -> None:
    """As before, for the other key: each of its requests is answered 200 at its own instant."""
    other = await limited.new_key(name="other", account="elsewhere")
    await ask(limited, 6)
    for _ in range(149):
        await clock.advance(0.2)
        assert await ask(limited, 3) == [429] * 3
        assert await ask(limited, key=other) == [200]
    await clock.advance(0.2)
    assert await ask(limited) == [200]
    assert len(limited.app._meter._rate) == 2, "and all that is remembered is two keys"


async def test_a_key_of_the_wrong_role_and_one_for_another_account_are_counted_too(
    limited: Installation,
) -> None:
    publisher = await limited.new_key(role=Role.PUBLISHER, name="publisher")
    assert await ask(limited, 6, key=publisher) == [403] * 5 + [429]
    headers = {"ACCOUNT-ID": "another"}
    answers = [await limited.post("ListWebhooks", headers=headers) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [404] * 5 + [429]


async def test_an_admin_key_has_the_same_limit(limited: Installation) -> None:
    admin = await limited.new_key(role=Role.ADMIN, name="admin")
    assert await ask(limited, 6, key=admin) == [200] * 5 + [429]


async def test_a_request_that_waits_counts_once_when_it_begins(
    limited: Installation, clock: ManualClock
) -> None:
    webhook = await limited.new_webhook()
    wish = {"webhook_id": webhook["webhook_id"], "wait_seconds": 30}
    waiting = asyncio.create_task(limited.post("ListEvents", wish))
    await clock.advance(10)
    await limited.publish()
    answer = await waiting
    assert (answer.status_code, len(answer.json()["events"])) == (200, 1)
    assert await ask(limited, 5) == [200] * 5


async def test_who_shows_no_living_key_is_neither_counted_nor_remembered(
    limited: Installation,
) -> None:
    for number in range(50):
        stranger = await limited.post("ListWebhooks", key=f"tdg_guess_{number}")
        assert stranger.status_code == 401
        assert "ratelimit-limit" not in stranger.headers
    assert len(limited.app._meter._rate) == 0
    assert await ask(limited) == [200]
    assert len(limited.app._meter._rate) == 1


async def test_a_refused_request_does_nothing(limited: Installation, clock: ManualClock) -> None:
    webhook = await limited.new_webhook()
    await ask(limited, 5)
    refused = await limited.post("DeleteWebhook", {"webhook_id": webhook["webhook_id"]})
    assert refused.status_code == 429
    await clock.advance(30)
    await limited.call("GetWebhook", {"webhook_id": webhook["webhook_id"]})


async def test_the_log_tells_of_a_penalty_once(limited: Installation) -> None:
    with structlog.testing.capture_logs() as logs:
        await ask(limited, 50)
    assert [line["event"] for line in logs] == ["key.penalized"]
    assert logs[0]["key_id"].startswith("key_")
