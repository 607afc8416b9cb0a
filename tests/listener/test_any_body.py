"""Whatever is sent, a listener answers it and tells it harmlessly."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tidings.listener.delivery import Delivery, What
from tidings.listener.listener import Listener
from tidings.listener.record import Recorded, recorded
from tidings.listener.replaying import described
from tidings.listener.telling import json_line, lines_of
from tidings.receiver.decision import Rules
from tidings.receiver.request import Request
from tidings.testing.clock import ManualClock

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
WORDS = st.sampled_from(
    [
        "events",
        "objectType",
        "eventType",
        "id",
        "rowId",
        "webhookId",
        "locator",
        "nonce",
        "type",
        "newWebhookStatus",
        "scope",
        "notice",
        "transactionNumber",
        "solutionId",
        "timestamp",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(), inner, max_size=6)
    ),
    max_leaves=20,
)
BODIES = VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)
NAMES = st.sampled_from(
    ["smartsheet-hook-challenge", "smartsheet-hmac-sha256", "webhook-id", "webhook-signature"]
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(body=BODIES, headers=st.dictionaries(NAMES, st.text(max_size=9)))
@example(body=b'{"a": 1e999999, "events": [{"id": 123456789012345678901234567890}]}', headers={})
@example(body=b'{"webhookId": "w", "locator": {}, "notice": "\\u001b[2J"}', headers={})
@example(body=b'"\\ud800"', headers={})
def test_any_request_is_answered_and_told_in_printable_lines(
    body: bytes, headers: dict[str, str]
) -> None:
    told: list[Delivery] = []
    listener = Listener(Rules(secrets=None), ManualClock(NOW), told.append)
    answer = asyncio.run(listener.receive(Request(headers=headers, body=body)))
    assert answer.status in (200, 400)
    (delivery,) = told
    assert (delivery.what is What.REFUSED) == (answer.status == 400)
    assert all(line.plain.isprintable() for line in lines_of(delivery))
    line = json_line(delivery)
    assert line.count(b"\n") == 0
    msgspec.json.decode(line, type=msgspec.Raw)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(body=st.binary(max_size=60), headers=st.dictionaries(NAMES, st.text(max_size=9)))
def test_a_request_is_recorded_byte_for_byte(body: bytes, headers: dict[str, str]) -> None:
    line = msgspec.json.encode(recorded(NOW, headers, body))
    again = msgspec.json.decode(line, type=Recorded)
    assert again.request() == Request(headers=headers, body=body)
    assert described(again).at == NOW
