"""Signatures; the standard's own package is the second source of truth for a ping's."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from tidings.domain import signing
from tidings.domain.notification import (
    Ping,
    notification_id,
    ping_body,
    reminder_number,
    signed_headers,
)
from tidings.errors import SignatureMismatchError

SECRET = signing.new_secret(bytes(range(32)))
OTHER = signing.new_secret(bytes(range(32, 64)))
SHARED = "3qo29mvjou6xt5fujukjtwzhj0"
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def _headers(*secrets: str, at: datetime = NOW, body: bytes = b"{}") -> dict[str, str]:
    return dict(signed_headers("w.1", body, secrets, at))


@given(st.binary(max_size=200))
def test_our_signature_is_the_standard_packages(body: bytes) -> None:
    text = base64.b64encode(body).decode()
    theirs = standardwebhooks.Webhook(SECRET).sign("w.1", NOW, text)
    assert signing.sign(SECRET, "w.1", int(NOW.timestamp()), text.encode()) == theirs


@pytest.mark.parametrize("secrets", [(SECRET,), (OTHER,), (SECRET, OTHER)])
def test_during_a_rotation_either_side_may_be_ahead(secrets: tuple[str, ...]) -> None:
    signing.verify(secrets, _headers(SECRET, OTHER), b"{}", now=NOW)


def test_a_body_an_id_a_secret_or_a_time_that_differs_is_refused() -> None:
    headers = _headers(SECRET)
    wrong: list[tuple[str, dict[str, str], bytes, datetime]] = [
        (SECRET, headers, b"{} ", NOW),
        (SECRET, headers | {"webhook-id": "w.2"}, b"{}", NOW),
        (OTHER, headers, b"{}", NOW),
        (SECRET, headers, b"{}", NOW + timedelta(minutes=6)),
        (SECRET, headers, b"{}", NOW - timedelta(minutes=6)),
        (SECRET, headers | {"webhook-timestamp": "1"}, b"{}", NOW),
    ]
    for secret, given_headers, body, now in wrong:
        with pytest.raises(SignatureMismatchError):
            signing.verify([secret], given_headers, body, now=now)


def test_a_header_in_any_case_and_within_the_tolerance_is_accepted() -> None:
    headers = {name.upper(): value for name, value in _headers(SECRET).items()}
    signing.verify([SECRET], headers, b"{}", now=NOW + timedelta(minutes=4))


@given(
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "x"]),
        st.text() | st.just(str(int(NOW.timestamp()))) | st.just("v1,"),
    ),
    st.binary(max_size=50),
    st.text(max_size=20) | st.just(SECRET),
)
def test_whatever_the_bytes_are_nothing_but_a_mismatch_is_raised(
    headers: dict[str, str], body: bytes, secret: str
) -> None:
    with pytest.raises(SignatureMismatchError):
        signing.verify([secret], headers, body, now=NOW)


def test_the_same_coverage_has_the_same_id_and_a_reminder_its_own() -> None:
    ping = Ping(webhook_id="w", account="a", solution="s", covered=7)
    again = Ping(webhook_id="w", account="a", solution="s", covered=7, reminder=3)
    assert notification_id(ping) == "w.7"
    assert notification_id(again) == "w.7.r3"


def test_no_two_holders_of_a_bucket_number_a_reminder_alike() -> None:
    numbers = {reminder_number(epoch, count) for epoch in range(1, 50) for count in range(1, 50)}
    assert len(numbers) == 49 * 49


def test_a_ping_says_what_the_contract_says() -> None:
    ping = Ping(webhook_id="w", account="a", solution="s", covered=1_800_000_000_000_000)
    assert ping_body(ping, NOW) == (
        b'{"webhookId":"w","locator":{"accountId":"a","solutionId":"s"},'
        b'"timestamp":"2026-05-04T03:02:01.000Z","transactionNumber":1800000000000000}'
    )


def test_a_callbacks_signature_has_the_contracts_check_value() -> None:
    signature = signing.sign_callback(SHARED, b'{"nonce":"n","webhookId":1}')
    assert signature == "567e4f8a359b5d940fd0d47d5187246edaabe597db243da041b293302ecdc028"


def test_a_callbacks_header_may_be_in_any_case_and_any_of_two_secrets_may_have_made_it() -> None:
    signature = signing.sign_callback(SHARED, b"{}")
    for name in ("Smartsheet-Hmac-SHA256", "smartsheet-hmac-sha256"):
        signing.verify_callback(["another", SHARED], {name: signature}, b"{}")


@pytest.mark.parametrize(
    ("secrets", "header"),
    [
        (["another"], signing.sign_callback("3qo29mvjou6xt5fujukjtwzhj0", b"{}")),
        ([], signing.sign_callback("3qo29mvjou6xt5fujukjtwzhj0", b"{}")),
        (["3qo29mvjou6xt5fujukjtwzhj0"], ""),
        (["3qo29mvjou6xt5fujukjtwzhj0"], None),
        (["3qo29mvjou6xt5fujukjtwzhj0"], signing.sign_callback("3qo29", b"{}")[:63]),
        (["3qo29mvjou6xt5fujukjtwzhj0"], "\u0663" * 64),
        (["\ud800"], "\ud800"),
    ],
)
def test_a_callbacks_signature_that_is_wrong_cut_or_missing_is_refused(
    secrets: list[str], header: str | None
) -> None:
    headers = {} if header is None else {signing.CALLBACK_SIGNATURE: header}
    with pytest.raises(SignatureMismatchError):
        signing.verify_callback(secrets, headers, b"{}")


@given(st.dictionaries(st.text() | st.just(signing.CALLBACK_SIGNATURE), st.text()), st.binary())
def test_a_callback_is_verified_or_refused_and_nothing_else_is_raised(
    headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(SignatureMismatchError):
        signing.verify_callback([SHARED], headers, body)


def test_a_shared_secret_is_26_lower_case_letters_and_digits() -> None:
    made = {signing.new_shared_secret(bytes([n]) * signing.SHARED_SECRET_BYTES) for n in range(256)}
    assert len(made) == 256
    assert all(re.fullmatch(r"[a-z0-9]{26}", secret) for secret in made)
