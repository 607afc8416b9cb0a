"""The verdict on a request: each step of contract 2.8, in its order, on any bytes."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from tests.receiver.senders import (
    SHARED,
    WHSEC,
    callback,
    callback_body,
    message,
    ping,
    request,
    row_event,
    signed,
)
from tidings.domain.challenge import CHALLENGE_HEADER, RESPONSE_HEADER
from tidings.domain.signing import CALLBACK_SIGNATURE, new_secret, sign_callback
from tidings.errors import ConfigurationError
from tidings.receiver import Request
from tidings.receiver.decision import Rules, decide
from tidings.receiver.notification import Notification
from tidings.receiver.own_transaction import callback_of
from tidings.receiver.request import Answer
from tidings.receiver.secrets import sorted_secrets
from tidings.testing.clock import DEFAULT_START as NOW

RULES = Rules(secrets=sorted_secrets([SHARED, WHSEC]))
UNSIGNED = Rules(secrets=None)
VALUE = "d78dd1d3-01ce-4481-81de-92b4f3aa5ab1"
CHALLENGE = json.dumps({"challenge": VALUE, "webhookId": 1}).encode()


def status(asked: Request, rules: Rules = RULES) -> int:
    verdict = decide(asked, rules, NOW)
    return int(verdict.status) if isinstance(verdict, Answer) else 200


def kept(asked: Request, rules: Rules = RULES) -> Notification:
    verdict = decide(asked, rules, NOW)
    assert isinstance(verdict, Notification)
    return verdict


@pytest.mark.parametrize("signature", [None, sign_callback(SHARED, CHALLENGE)])
def test_a_challenge_is_answered_by_header_and_body_signed_or_not(signature: str | None) -> None:
    headers = {CHALLENGE_HEADER: VALUE}
    if signature is not None:
        headers[CALLBACK_SIGNATURE] = signature
    answer = decide(request(CHALLENGE, headers), RULES, NOW)
    assert isinstance(answer, Answer)
    assert answer.status == 200
    assert (RESPONSE_HEADER, VALUE) in answer.headers
    assert json.loads(answer.body) == {"smartsheetHookResponse": VALUE}


def test_a_challenge_comes_before_json_and_its_signature_before_the_answer() -> None:
    assert status(request(b"no json", {CHALLENGE_HEADER: VALUE})) == 200
    assert status(request(b"{}", {CHALLENGE_HEADER: VALUE, CALLBACK_SIGNATURE: "0" * 64})) == 401
    assert status(request(None, {CHALLENGE_HEADER: VALUE})) == 413


@pytest.mark.parametrize("value", ["a b", "x" * 256, "\u00e9", "a\r\nSet-Cookie: b"])
def test_a_challenge_that_would_do_harm_in_a_header_is_refused(value: str) -> None:
    assert status(request(b"{}", {CHALLENGE_HEADER: value})) == 400


def test_an_empty_challenge_is_none_and_excuses_no_missing_signature() -> None:
    assert status(request(callback_body("n"), {CHALLENGE_HEADER: ""})) == 401


def test_the_signature_is_judged_before_the_json() -> None:
    assert status(request(b"no json", {})) == 401
    assert status(signed(b"no json")) == 400


def test_anything_but_post_is_told_so() -> None:
    asked = callback("n")
    refused = decide(Request(method="GET", headers=asked.headers, body=b""), RULES, NOW)
    assert isinstance(refused, Answer)
    assert refused.status == 405
    assert ("Allow", "POST") in refused.headers


RIGHT = sign_callback(SHARED, callback_body("n", row_event()))


@pytest.mark.parametrize(
    "signature",
    [
        "",
        RIGHT[:-1],
        RIGHT + "0",
        RIGHT.upper(),
        f"{RIGHT},{RIGHT}",
        f"v1,{RIGHT}",
        "\u00e9" * 64,
        "0" * 64,
        sign_callback("another", callback_body("n", row_event())),
        "0" * 1_000_000,
    ],
)
def test_a_signature_that_is_wrong_cut_or_not_ascii_is_refused(signature: str) -> None:
    body = callback_body("n", row_event())
    assert status(request(body, {CALLBACK_SIGNATURE: RIGHT})) == 200
    assert status(request(body, {CALLBACK_SIGNATURE: signature})) == 401


def test_two_secrets_verify_during_a_rotation() -> None:
    both = Rules(secrets=sorted_secrets(["new", SHARED]))
    assert status(callback("n"), both) == 200
    assert status(signed(callback_body("n"), "new"), both) == 200
    assert status(signed(callback_body("n"), "older"), both) == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonce=n",
        b"\xff\xfe{}",
        b'{"nonce": "\xff"}',
        b"NaN",
        b'{"nonce": "\\ud800"}',
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        gzip.compress(b"0" * 10_000_000),
    ],
)
def test_what_is_not_json_or_beyond_all_depth_is_refused(body: bytes) -> None:
    assert status(signed(body)) == 400
    assert status(request(body, {}), UNSIGNED) == 400


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b"17",
        b'"text"',
        b'{"events": {"no": "list"}}',
        b'{"events": [1, null, "x", [], {}], "nonce": ["n"], "webhookId": {"a": 1}}',
        b'{"nonce": ' + b"9" * 5_000 + b"}",
        b'{"timestamp": 17, "events": []}',
        b'{"timestamp": "0001-01-01T00:00:00+23:59", "nonce": "n"}',
        b'{"newWebhookStatus": "SOMETHING_NEW", "unknown": {"field": [1]}}',
    ],
)
def test_json_of_any_shape_is_taken(body: bytes) -> None:
    assert kept(signed(body)).body == body
    assert kept(request(body, {}), UNSIGNED).body == body


@given(
    st.binary() | st.text().map(str.encode) | st.just(b"{}"),
    st.dictionaries(
        st.sampled_from(
            [
                "smartsheet-hmac-sha256",
                "webhook-id",
                "webhook-timestamp",
                "webhook-signature",
                "content-encoding",
                "x",
            ]
        ),
        st.text(),
    ),
    st.sampled_from(["POST", "PUT", ""]),
)
def test_no_bytes_raise_and_none_pass_unsigned(
    body: bytes, headers: dict[str, str], method: str
) -> None:
    verdict = decide(Request(method=method, headers=headers, body=body), RULES, NOW)
    assert isinstance(verdict, Answer)
    assert verdict.status in (401, 405)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
ENVELOPES = st.dictionaries(
    st.sampled_from(["nonce", "timestamp", "webhookId", "events", "newWebhookStatus", "type"]), JSON
)


@given(JSON | ENVELOPES)
def test_every_json_text_is_kept_however_strange(value: Any) -> None:
    body = json.dumps(value, ensure_ascii=False).encode(errors="replace")
    for asked, rules in ((signed(body), RULES), (request(body, {}), UNSIGNED)):
        notification = kept(asked, rules)
        assert notification.body == body
        assert callback_of(notification).events or b'"events"' in body


def test_a_repetition_has_the_identity_of_the_first() -> None:
    first, again = kept(callback("n", row_event())), kept(callback("n", row_event()))
    assert first.identity == again.identity is not None
    later = callback("n", row_event(), timestamp="2026-01-15T12:09:59.000+0000")
    assert kept(later).identity == first.identity
    assert kept(callback("m", row_event())).identity != first.identity
    assert kept(callback("n", row_event(), webhookId=2)).identity != first.identity


def test_the_last_of_two_keys_counts_for_the_verdict_and_for_the_handler_alike() -> None:
    double = b'{"nonce": "n1", "nonce": "n2", "webhookId": 1, "events": []}'
    single = b'{"nonce": "n2", "webhookId": 1, "events": []}'
    assert kept(signed(double)).identity == kept(signed(single)).identity
    assert kept(signed(double)).message_id == b"n2"


def test_an_id_that_no_signature_covers_makes_no_repetition_look_new() -> None:
    body = callback_body("n", row_event())
    plain = kept(signed(body))
    dressed = kept(signed(body, **{"webhook-id": "fresh", "webhook-signature": "v1,x"}))
    assert plain.identity == dressed.identity


def test_a_message_is_known_by_its_signed_id_whatever_its_body() -> None:
    one = kept(message("msg_1", {"type": "row.created"}))
    assert one.identity == kept(message("msg_1", {"type": "row.deleted"})).identity
    assert one.identity != kept(message("msg_2", {"type": "row.created"})).identity
    assert one.message_id == b"msg_1"


def test_pings_that_nobody_signs_look_alike_and_are_all_news() -> None:
    body = b'{"webhookId": "w", "locator": {"accountId": "a", "solutionId": "s"}}'
    assert kept(request(body, {}), UNSIGNED).identity is None


def test_a_messages_time_has_a_tolerance_and_a_callback_has_a_memory() -> None:
    early, late = NOW - timedelta(minutes=6), NOW + timedelta(minutes=6)
    for at in (early, late):
        assert status(message("m", {}, at=at)) == 401
    assert not kept(callback("n")).stale
    old = "2025-12-16T11:59:59.000+0000"
    assert kept(callback("n", timestamp=old)).stale
    assert not kept(request(callback_body("n", timestamp=old), {}), UNSIGNED).stale


def test_each_kind_of_signature_is_verified_with_its_own_secrets_alone() -> None:
    assert status(callback("n"), Rules(secrets=sorted_secrets(WHSEC))) == 401
    assert status(ping(1), Rules(secrets=sorted_secrets(SHARED))) == 401
    assert status(signed(callback_body("n"), WHSEC)) == 401


@given(st.dictionaries(st.text(), st.text() | st.integers()))
def test_the_standards_own_package_signs_what_we_accept(payload: dict[str, Any]) -> None:
    body = json.dumps(payload)
    signature = standardwebhooks.Webhook(WHSEC).sign("msg_1", NOW, body)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": f"v1,bm90IHRoaXM= v1a,eA== {signature}",
    }
    assert kept(request(body.encode(), headers)).message_id == b"msg_1"


@pytest.mark.parametrize("secrets", [[], "", " ", ["a", ""], "whsec_", "whsec_!", ["\u00e9"]])
def test_secrets_that_can_verify_nothing_are_refused_at_once(secrets: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        sorted_secrets(secrets)
    assert "\u00e9" not in refused.value.message


def test_a_new_secret_is_of_its_kind() -> None:
    given_secret = new_secret(bytes(32))
    found = sorted_secrets([given_secret, SHARED])
    assert found is not None
    assert (found.pings, found.callbacks) == ((given_secret,), (SHARED,))
