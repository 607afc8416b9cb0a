"""Publishing (contract 3.2) and the server's health, call by call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from tidings.client.messages import (
    Application,
    Change,
    Health,
    LinesReceipt,
    PublishReceipt,
)
from tidings.client.request import JSON, Answer, Pieces, Request, checked_header, decoded, reading
from tidings.errors import InvalidArgument

_SERVICE = "publish"
_NO_LIMIT = "health"
_CHANGES = "/v1/changes"


def publish(body: bytes, *, idempotency_key: str) -> Request[PublishReceipt]:
    """Publish one JSON body of changes.

    Repeated under the same key after a lost connection, which appends nothing twice.
    """
    return Request(
        method="POST",
        path=_CHANGES,
        read=reading(PublishReceipt),
        service=_SERVICE,
        body=body,
        headers=JSON | {"Idempotency-Key": checked_header("idempotency_key", idempotency_key)},
    )


def publish_changes(
    solution_id: str,
    changes: Sequence[Change | Mapping[str, Any]],
    *,
    idempotency_key: str,
    batch_id: str | None = None,
    source: str | None = None,
    handler: str | None = None,
) -> Request[PublishReceipt]:
    """Publish changes, all or none; as `publish` is, repeated under the same key."""
    named = {"batch_id": batch_id, "source": source, "handler": handler}
    wish = {name: value for name, value in named.items() if value is not None}
    body = msgspec.json.encode({"solution_id": solution_id, **wish, "changes": list(changes)})
    return publish(body, idempotency_key=idempotency_key)


def publish_lines(
    solution_id: str,
    pieces: Pieces,
    *,
    idempotency_key: str,
    from_line: int = 1,
    source: str | None = None,
    handler: str | None = None,
    content_encoding: str | None = None,
) -> Request[LinesReceipt]:
    """Publish NDJSON of any length; `pieces` makes the whole stream anew for every try.

    Repeated under the same key after a lost connection, which appends nothing twice. A line
    that is wrong doesn't raise: the receipt names it, and what was taken before it.
    """
    headers = {
        "Content-Type": "application/x-ndjson",
        "Idempotency-Key": checked_header("idempotency_key", idempotency_key),
    }
    if content_encoding is not None:
        headers["Content-Encoding"] = content_encoding
    params = {"solution_id": solution_id}
    if from_line != 1:
        params["from_line"] = str(from_line)
    params |= {"source": source} if source else {}
    params |= {"handler": handler} if handler else {}
    return Request(
        method="POST",
        path=_CHANGES,
        read=_lines_receipt,
        service=_SERVICE,
        body=pieces,
        headers=headers,
        params=params,
        accepted=frozenset({HTTPStatus.OK, HTTPStatus.BAD_REQUEST}),
    )


def register_application(
    solution_id: str, application_id: str, *, name: str | None = None
) -> Request[Application]:
    """Say to which solution an application belongs, and its name. Raises Conflict: another's."""
    wish = {"solution_id": solution_id, "application_id": application_id}
    body = msgspec.json.encode(wish | ({} if name is None else {"name": name}))
    return Request(
        method="POST",
        path="/v1/applications",
        read=reading(Application),
        service=_SERVICE,
        body=body,
        headers=JSON,
    )


def health() -> Request[Health]:
    """Return whether the server lives."""
    return _health("/healthz")


def readiness() -> Request[Health]:
    """Return whether the server can do its work now, and the reasons why not."""
    return _health("/readyz")


class _LinesAnswer(LinesReceipt, frozen=True, kw_only=True):
    field: str | None = None
    detail: str | None = None


def _health(path: str) -> Request[Health]:
    accepted = frozenset({HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE})
    return Request("GET", path, reading(Health), _NO_LIMIT, accepted=accepted)


def _lines_receipt(answer: Answer) -> LinesReceipt:
    receipt = decoded(answer, _LinesAnswer)
    if answer.status == HTTPStatus.OK:
        return receipt
    message = receipt.detail or "The server refused the stream."
    word, _, number = (receipt.field or "").partition(" ")
    if word != "line" or not number.isdigit():
        raise InvalidArgument(receipt.field or "body", message)
    return msgspec.structs.replace(
        receipt, refused_line=int(number), refusal=message.removeprefix(f"{receipt.field}: ")
    )
