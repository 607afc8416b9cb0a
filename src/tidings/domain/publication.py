"""One JSON publish, read and judged whole: all of it is valid, or nothing of it is stored."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tidings.domain.change import Change, SentChange, check_id, check_name, judge
from tidings.domain.json_text import check_json_text, decode_json
from tidings.domain.limits import CHANGE_BYTES, JSON_DEPTH, PUBLISH_CHANGES
from tidings.errors import InvalidArgument, TooLarge


class Publication(msgspec.Struct, frozen=True):
    """The body of `POST /v1/changes` (contract 3.2)."""

    solution_id: str
    changes: list[SentChange]
    batch_id: str | None = None
    source: str | None = None
    handler: str | None = None


class _Sizes(msgspec.Struct, frozen=True):
    changes: list[msgspec.Raw]


_PUBLICATION = msgspec.json.Decoder(Publication)
_SIZES = msgspec.json.Decoder(_Sizes)


def read_publication(body: bytes) -> Publication:
    """Decode a publish and check all of it but its changes, which `judge_changes` does.

    Raises MalformedRequest for what can't be read, InvalidArgument for a wrong member, and TooLarge
    for too many changes or too large a one.
    """
    check_json_text(body, max_depth=JSON_DEPTH)
    publication = decode_json(_PUBLICATION, body)
    check_id("solution_id", publication.solution_id)
    if publication.batch_id is not None:
        check_id("batch_id", publication.batch_id)
    check_name("source", publication.source or "")
    check_name("handler", publication.handler or "")
    if len(publication.changes) > PUBLISH_CHANGES:
        raise TooLarge(
            f"a publish has at most {PUBLISH_CHANGES} changes; send more as NDJSON",
            argument="changes",
        )
    if len(body) > CHANGE_BYTES:
        _check_sizes(body)
    return publication


def judge_changes(sent: Sequence[SentChange], now: str) -> list[Change]:
    """Return the changes that are to be appended; those proved to change nothing are left out.

    Raises InvalidArgument with the path of the member, such as `changes[3].record_id`.
    """
    accepted = []
    number = 0
    try:
        for number, change in enumerate(sent):  # noqa: B007 - named in the error
            judged = judge(change, now)
            if judged is not None:
                accepted.append(judged)
    except InvalidArgument as error:
        raise InvalidArgument(f"changes[{number}].{error.argument}", error.message) from error
    return accepted


def _check_sizes(body: bytes) -> None:
    for number, change in enumerate(decode_json(_SIZES, body).changes):
        if len(change) > CHANGE_BYTES:
            raise TooLarge(
                f"a change has at most {CHANGE_BYTES} bytes", argument=f"changes[{number}]"
            )
