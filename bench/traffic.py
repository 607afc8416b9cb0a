"""What is sent: events of about 900 bytes as listed, and HTTP messages as bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

ACCOUNT = "bench"
APPLICATION = "646536cac79b49252b0f94f5"
SERVICE = "/smartsuite.webhooks.engine.Webhooks"
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


def record(number: int) -> dict[str, object]:
    """Return a record's data of about 450 bytes."""
    return {
        "title": f"Record {number}",
        "status": {"value": "in_progress", "updated_on": "2026-03-01T10:20:30.000Z"},
        "assigned_to": ["63b87cad645b3949631b55bf", "63b87cad645b3949631b55c0"],
        "due_date": {"from_date": None, "to_date": "2026-04-01", "is_overdue": False},
        "amount": f"{number}.50",
        "tags": ["alpha", "beta", "gamma"],
        "description": "A sentence of a description that somebody has written. " * 2,
        "ranking": {"default": "aaahkzrxnuhffdlm"},
    }


def change(number: int) -> dict[str, object]:
    """Return a change as it is published."""
    return {
        "kind": "RECORD_CREATED",
        "application_id": APPLICATION,
        "record_id": f"{number:024x}",
        "data": record(number),
    }


def publication(solution: str, count: int) -> bytes:
    """Return the body of a publish of `count` changes."""
    changes = [change(number) for number in range(count)]
    return msgspec.json.encode({"solution_id": solution, "changes": changes})


def request(path: str, key: str, body: bytes) -> bytes:
    """Return a POST as bytes."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Token {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def publish_request(key: str, solution: str, count: int) -> bytes:
    """Return a whole request that publishes `count` changes."""
    return request("/v1/changes", key, publication(solution, count))


def list_request(key: str, wish: Mapping[str, object]) -> bytes:
    """Return a whole request for a page of events."""
    return request(f"{SERVICE}/ListEvents", key, msgspec.json.encode(wish))


class Messages:
    """Cuts a stream into HTTP messages, requests or answers, that say their content-length."""

    def __init__(self) -> None:
        self._waiting = b""
        self._wanted = 0

    def take(self, piece: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Take bytes; yield the head and the body of each message that is whole by now."""
        self._waiting = self._waiting + piece if self._waiting else piece
        while len(self._waiting) >= self._wanted:
            end = self._waiting.find(_HEAD_END)
            if end < 0:
                return
            body = end + len(_HEAD_END)
            whole = body + _content_length(self._waiting[:body])
            self._wanted = whole
            if len(self._waiting) < whole:
                return
            head, content = self._waiting[:end], self._waiting[body:whole]
            self._waiting, self._wanted = self._waiting[whole:], 0
            yield head, content


def _content_length(head: bytes) -> int:
    at = head.lower().find(_LENGTH)
    return 0 if at < 0 else int(head[at + len(_LENGTH) : head.index(b"\r", at)])
