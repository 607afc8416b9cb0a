"""`POST /v1/applications` (contract 3.2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.publishing.platform import Answer, Platform
from tidings.domain.key import Role

pytestmark = pytest.mark.anyio


async def register(platform: Platform, key: str | None = None, **members: Any) -> Answer:
    return await platform.send([json.dumps(members).encode()], path="/v1/applications", key=key)


async def test_registering_twice_is_the_same_as_once(platform: Platform) -> None:
    for _ in range(2):
        answer = await register(platform, solution_id="s", application_id="a", name="Deals")
        assert answer.status == 200
        assert answer.json == {"solution_id": "s", "application_id": "a", "name": "Deals"}


async def test_an_application_of_another_solution_is_a_conflict(platform: Platform) -> None:
    await register(platform, solution_id="s", application_id="a")
    answer = await register(platform, solution_id="other", application_id="a")
    assert answer.status == 409
    assert answer.json["type"] == "urn:tidings:problem:already_exists"


async def test_accounts_do_not_share_their_applications(platform: Platform) -> None:
    await register(platform, solution_id="s", application_id="a")
    key = await platform.new_key(Role.PUBLISHER, "another")
    assert (await register(platform, key, solution_id="t", application_id="a")).status == 200


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"solution_id": "s"}, "application_id"),
        ({"solution_id": "", "application_id": "a"}, "solution_id"),
        ({"solution_id": "s", "application_id": 3}, "application_id"),
        ({"solution_id": "s", "application_id": "a", "name": "x" * 256}, "name"),
    ],
)
async def test_what_is_wrong_is_named(platform: Platform, members: Any, field: str) -> None:
    answer = await register(platform, **members)
    assert (answer.status, answer.json["field"]) == (400, field)


async def test_it_takes_a_publisher_s_key_and_json(platform: Platform) -> None:
    subscriber = await platform.new_key(Role.SUBSCRIBER)
    assert (await register(platform, subscriber)).status == 403
    text = await platform.send([b"{}"], path="/v1/applications", content_type="text/plain")
    assert text.status == 415
