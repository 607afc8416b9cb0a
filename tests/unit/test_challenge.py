"""How a challenge is judged by the one side and answered by the other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.domain.challenge import (
    CHALLENGE_HEADER,
    RESPONSE_HEADER,
    challenge_answer,
    challenge_body,
    is_answerable,
    why_refused,
)

VALUE = "d78dd1d3-01ce-4481-81de-92b4f3aa5ab1"
BY_HEADER = {RESPONSE_HEADER.lower(): VALUE}


def test_a_challenge_is_written_as_the_contract_prints_it() -> None:
    assert CHALLENGE_HEADER == "Smartsheet-Hook-Challenge"
    assert challenge_body(VALUE, 2674017481058180) == (
        b'{"challenge":"d78dd1d3-01ce-4481-81de-92b4f3aa5ab1","webhookId":2674017481058180}'
    )


@pytest.mark.parametrize(
    "body", [b"", b"{", b"<p>Challenge accepted</p>", b"\xff\xfe", b"[" * 9_999]
)
def test_the_header_passes_whatever_the_body_is(body: bytes) -> None:
    assert why_refused(VALUE, 200, BY_HEADER, body) is None


def test_the_body_passes_without_the_header_and_beside_a_wrong_one() -> None:
    for headers in ({}, {RESPONSE_HEADER.lower(): "another"}):
        assert why_refused(VALUE, 200, headers, challenge_answer(VALUE)) is None


@pytest.mark.parametrize("status", [201, 204, 301, 400, 500])
def test_any_status_but_200_fails_and_says_which(status: int) -> None:
    why = why_refused(VALUE, status, BY_HEADER, challenge_answer(VALUE))
    assert why == f"Request returned HTTP status code {status}"


@given(
    st.binary() | st.text().map(str.encode) | st.integers(0, 20_000).map(lambda n: b"[" * n),
    st.dictionaries(st.just(RESPONSE_HEADER.lower()), st.text()),
)
def test_an_answer_without_the_value_fails_and_nothing_is_raised(
    body: bytes, headers: dict[str, str]
) -> None:
    assert why_refused(VALUE, 200, headers, body) == "Response did not contain the challenge"


@pytest.mark.parametrize(
    "body", [b'{"smartsheetHookResponse": 1}', b'["smartsheetHookResponse"]', b'{"other": "x"}']
)
def test_a_json_answer_of_another_shape_fails(body: bytes) -> None:
    assert why_refused(VALUE, 200, {}, body) is not None


@pytest.mark.parametrize("value", ["", "a b", "a\r\nSet-Cookie: x", "\u00e9", "x" * 256])
def test_a_value_that_could_do_harm_in_a_header_is_not_sent_back(value: str) -> None:
    assert not is_answerable(value)
    assert is_answerable(VALUE)
