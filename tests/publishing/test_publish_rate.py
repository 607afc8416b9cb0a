"""`publish_requests_per_second`: without a penalty, and off unless it is set (contract 3.2)."""

from __future__ import annotations

import pytest

from tests.publishing.platform import SOLUTION, Platform, created, ndjson
from tidings.api.applications import ApplicationsEndpoint
from tidings.api.changes import ChangesEndpoint
from tidings.api.metering import Meter, Rates
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


def limit(platform: Platform, per_second: int | None) -> None:
    """Let the platform's endpoints have this limit between them."""
    publisher, authenticator = platform.changes._publisher, platform.changes._authenticator
    rate = Rates(publish_requests_per_second=per_second).publishing
    meter = None if rate is None else Meter(rate, platform.clock)
    platform.changes = ChangesEndpoint(publisher, authenticator, platform.clock, meter)
    platform.applications = ApplicationsEndpoint(publisher, authenticator, platform.clock, meter)


async def test_without_the_setting_a_key_publishes_as_often_as_it_likes(
    platform: Platform,
) -> None:
    limit(platform, None)
    answers = [await platform.publish(created(n)) for n in range(20)]
    assert {answer.status for answer in answers} == {200}
    assert not any("ratelimit-limit" in answer.headers for answer in answers)


async def test_a_publish_past_the_limit_is_refused_whole_until_the_second_has_room(
    platform: Platform, clock: ManualClock
) -> None:
    limit(platform, 2)
    assert (await platform.publish(created(1))).status == 200
    await clock.advance(0.6)
    assert (await platform.publish(created(2))).status == 200
    refused = await platform.publish(created(3))
    assert (refused.status, refused.json["type"]) == (429, "urn:tidings:problem:rate_limited")
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["ratelimit-limit"] == "2"
    assert refused.headers["ratelimit-remaining"] == "0"
    await clock.advance(0.399)
    assert (await platform.publish(created(3))).status == 429
    await clock.advance(0.001)
    assert (await platform.publish(created(3))).status == 200
    assert await platform.records() == ["1", "2", "3"]


async def test_a_refused_publish_may_be_sent_again_under_its_key(
    platform: Platform, clock: ManualClock
) -> None:
    limit(platform, 1)
    await platform.publish(created(1), key="one")
    assert (await platform.publish(created(2), key="two")).status == 429
    await clock.advance(1)
    assert (await platform.publish(created(2), key="two")).json["accepted"] == 1


async def test_a_stream_of_any_length_is_one_request_and_applications_count_too(
    platform: Platform,
) -> None:
    limit(platform, 2)
    lines = ndjson(created(n) for n in range(50))
    assert (await platform.stream([lines])).json["accepted"] == 50
    body = b'{"solution_id": "%b", "application_id": "a"}' % SOLUTION.encode()
    registered = [await platform.send([body], path="/v1/applications") for _ in range(2)]
    assert [answer.status for answer in registered] == [200, 429]
