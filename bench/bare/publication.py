"""What a bare publish decodes, and the row that it makes of a change."""

from __future__ import annotations

from typing import Any

import msgspec

from bench.traffic import ACCOUNT

_EVENT = (
    b',"kind":"%b","event_at":"2026-03-01T10:20:30.000Z","record_event_data":{"record_id":"%b",'
    b'"locator":{"account_id":"' + ACCOUNT.encode() + b'","solution_id":"%b","application_id":"%b"}'
    b',"data":%b,"previous":{}},"ctx":{"change_id":"4b2ed20d-6f00-4b0c-8fac-082182aa9aac",'
    b'"change_size":1,"batch_id":"4b2ed20d-6f00-4b0c-8fac-082182aa9aad","batch_size":%d,'
    b'"source":"UNKNOWN","handler":"API"}}'
)


class Change(msgspec.Struct):
    """A change, as far as its bytes need it."""

    kind: str
    application_id: str
    record_id: str
    data: msgspec.Raw


class Publication(msgspec.Struct):
    """The body of a request."""

    solution_id: str
    changes: list[Change]


PUBLICATION = msgspec.json.Decoder(Publication)
Row = tuple[Any, ...]


def entry_row(change: Change, position: int, solution: str) -> Row:
    """Return a change as a row of the log."""
    body = _EVENT % (
        change.kind.encode(),
        change.record_id.encode(),
        solution.encode(),
        change.application_id.encode(),
        change.data,
        1,
    )
    place = (0, position, ACCOUNT, solution, change.application_id)
    return (*place, 1, -1, change.record_id, None, None, None, body)
