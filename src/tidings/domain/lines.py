"""NDJSON: bytes cut into lines, lines into batches, batches into what is appended at once.

Every cut hangs on the file's own content from the chunk's first line on, never on how the bytes
arrived. So the same file sent again is cut the same, and the chunks that the log has already are
told by their keys (contract 3.2, mechanics L4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from tidings.domain.change import Change, SentChange, check_id, judge
from tidings.domain.json_text import check_json_text, decode_json
from tidings.domain.limits import (
    CHANGE_BYTES,
    JSON_DEPTH,
    NDJSON_CHUNK_BYTES,
    NDJSON_CHUNK_LINES,
    PUBLISH_BODY_BYTES,
    PUBLISH_CHANGES,
)
from tidings.errors import TooLarge

_LINE = msgspec.json.Decoder(SentChange)


class LineSplitter:
    """Cuts a stream into lines by LF; a CR before it belongs to the line's end.

    Never holds more than one piece and one line of CHANGE_BYTES.
    """

    def __init__(self) -> None:
        self._unfinished: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the lines that end in this piece. Raises TooLarge for one that is too long."""
        *ended, rest = piece.split(b"\n")
        for end in ended:
            self._add(end)
            yield self._taken()
        self._add(rest)

    def last(self) -> bytes | None:
        """Return what stands after the last LF, or None if nothing does."""
        return self._taken() if self._size else None

    def _add(self, part: bytes) -> None:
        if part:
            self._unfinished.append(part)
        self._size += len(part)
        if self._size > CHANGE_BYTES:
            raise TooLarge(f"a line has at most {CHANGE_BYTES} bytes")

    def _taken(self) -> bytes:
        line = b"".join(self._unfinished).removesuffix(b"\r")
        self._unfinished.clear()
        self._size = 0
        return line


class LineBatch(msgspec.Struct):
    """Neighbouring lines of one batch_id, or one line without."""

    batch_id: str | None
    changes: list[Change] = []
    lines: int = 0
    size: int = 0
    """Bytes of its lines."""


class Chunk:
    """Whole batches that are appended at once; it grows until it is full and a batch has ended."""

    def __init__(self) -> None:
        self.batches: list[LineBatch] = []
        self.first_line = 0
        """Numbered from 1 over the whole file; 0 while the chunk is empty."""
        self.last_line = 0
        self.suppressed = 0
        self.lines = 0
        self._size = 0
        self._hash = hashlib.sha256()

    def ends_before(self, sent: SentChange) -> bool:
        """Whether this chunk is to be appended before the line is added to the next one."""
        full = self.lines >= NDJSON_CHUNK_LINES or self._size >= NDJSON_CHUNK_BYTES
        return full and not self._continues(sent)

    def add(self, number: int, line: bytes, sent: SentChange, now: str) -> None:
        """Judge a line and add it; where it raises, the chunk isn't to be used any more.

        Raises InvalidArgument for a change that isn't valid, TooLarge for too large a batch.
        """
        change = judge(sent, now)
        if not self._continues(sent):
            self.batches.append(LineBatch(sent.batch_id))
        batch = self.batches[-1]
        batch.lines += 1
        batch.size += len(line)
        if batch.lines > PUBLISH_CHANGES or batch.size > PUBLISH_BODY_BYTES:
            raise TooLarge(
                f"a batch has at most {PUBLISH_CHANGES} lines and {PUBLISH_BODY_BYTES} bytes",
                argument="batch_id",
            )
        if change is None:
            self.suppressed += 1
        else:
            batch.changes.append(change)
        self.first_line = self.first_line or number
        self.last_line = number
        self.lines += 1
        self._size += len(line)
        self._hash.update(line)
        self._hash.update(b"\n")

    def body_hash(self, context: bytes) -> bytes:
        """Return SHA-256 of the chunk's lines and of what else their meaning hangs on."""
        return hashlib.sha256(context + b"\n" + self._hash.digest()).digest()

    def _continues(self, sent: SentChange) -> bool:
        return (
            sent.batch_id is not None
            and bool(self.batches)
            and self.batches[-1].batch_id == sent.batch_id
        )


def read_line(line: bytes) -> SentChange:
    """Decode one line. Raises MalformedRequest or InvalidArgument, naming the member."""
    check_json_text(line, max_depth=JSON_DEPTH)
    sent = decode_json(_LINE, line)
    if sent.batch_id is not None:
        check_id("batch_id", sent.batch_id)
    return sent


def chunk_key(key: str, first_line: int) -> str:
    """Return the idempotency key of a chunk.

    No client's own key can be the same: they are printable, and this one isn't.
    """
    return f"{key}\n{first_line}"
