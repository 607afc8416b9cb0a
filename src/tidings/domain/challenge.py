"""The challenge: how an endpoint shows that it wants a webhook's callbacks (contract 2.4).

Both sides are here: what is asked, how an answer is judged, and what a receiver answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from tidings.domain.json_text import check_json_text, decode_json
from tidings.domain.limits import CHALLENGE_LENGTH, JSON_DEPTH
from tidings.errors import RequestError

CHALLENGE_HEADER: Final = "Smartsheet-Hook-Challenge"
"""The request's header; its value is to be sent back."""
RESPONSE_HEADER: Final = "Smartsheet-Hook-Response"
"""The answer's header that may carry the value."""

_ECHOED: Final = re.compile(rf"[\x21-\x7e]{{1,{CHALLENGE_LENGTH}}}")


class _Answer(msgspec.Struct, frozen=True, rename={"response": "smartsheetHookResponse"}):
    response: Any = None


_ANSWERS: Final = msgspec.json.Decoder(_Answer)


def challenge_body(challenge: str, webhook_id: int) -> bytes:
    """Return the body of the request that challenges an endpoint."""
    return msgspec.json.encode({"challenge": challenge, "webhookId": webhook_id})


def why_refused(challenge: str, status: int, headers: Mapping[str, str], body: bytes) -> str | None:
    """Return None where an answer passes the challenge, else why not, in a sentence.

    Passed by exactly 200 and the value in RESPONSE_HEADER, or else in the body: endpoints that
    answer by the header send any body with it, so that is looked at last. Never raises, whatever
    the endpoint sent. `headers` have their names in lower case.
    """
    if status != HTTPStatus.OK:
        return f"Request returned HTTP status code {status}"
    if headers.get(RESPONSE_HEADER.lower()) == challenge:
        return None
    try:
        check_json_text(body, max_depth=JSON_DEPTH)
        answered = decode_json(_ANSWERS, body).response
    except RequestError:
        answered = None
    if answered == challenge:
        return None
    return "Response did not contain the challenge"


def is_answerable(challenge: str) -> bool:
    """Return whether a receiver may send a challenge's value back: short, visible ASCII."""
    return _ECHOED.fullmatch(challenge) is not None


def challenge_answer(challenge: str) -> bytes:
    """Return the body that answers a challenge, beside RESPONSE_HEADER with the same value."""
    return msgspec.json.encode(_Answer(challenge))
