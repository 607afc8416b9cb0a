"""The record of what was received: a file of JSON lines, which `tidings replay` reads.

A line holds a request's headers and its body's bytes, so that what is replayed verifies.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from tidings.domain import limits
from tidings.errors import InvalidArgument, StorageUnavailable
from tidings.receiver.request import Request


class Recorded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request as it came. The body is `body` where it is text, else `body_base64`."""

    at: datetime
    headers: Mapping[str, str]
    """Names in lower case."""
    body: str | None = None
    body_base64: str | None = None

    def request(self) -> Request:
        """Return the request. Raises ValueError where its body isn't base64."""
        if self.body_base64 is None:
            return Request(headers=self.headers, body=(self.body or "").encode())
        return Request(headers=self.headers, body=base64.b64decode(self.body_base64, validate=True))


_DECODER = msgspec.json.Decoder(Recorded)


def recorded(at: datetime, headers: Mapping[str, str], body: bytes) -> Recorded:
    """Return a request as it is recorded."""
    try:
        return Recorded(at=at, headers=headers, body=body.decode())
    except UnicodeDecodeError:
        encoded = base64.b64encode(body).decode()
        return Recorded(at=at, headers=headers, body_base64=encoded)


class RecordFile:
    """A record that is written to, behind what it holds. Use it in a `with`.

    Raises InvalidArgument where it can't be opened.
    """

    def __init__(self, name: str) -> None:
        self._file: IO[bytes]
        try:
            self._file = Path(name).open("ab")  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            raise InvalidArgument("record", f"{name} can't be written: {error.strerror}.") from None
        self._name = name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, request: Recorded) -> None:
        """Write a line, and give it to the operating system.

        Raises StorageUnavailable where that fails, or where RECORD_BYTES are there already: whoever
        may send unsigned requests could fill the disk.
        """
        line = msgspec.json.encode(request) + b"\n"
        if self._file.tell() + len(line) > limits.RECORD_BYTES:
            raise StorageUnavailable(f"{self._name} is full: begin another with --record.")
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise StorageUnavailable(f"{self._name} can't be written: {error.strerror}.") from None


def read_record(name: str) -> Iterator[Recorded]:
    """Yield the requests of a record. Raises InvalidArgument for a file or a line that is none."""
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed by the `with` below
    except OSError as error:
        raise InvalidArgument("file", f"{name} can't be read: {error.strerror}.") from None
    with file:
        number = 0
        while line := file.readline(limits.RECORD_LINE_BYTES):
            number += 1
            try:
                found = _DECODER.decode(line)
                found.request()
            except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error):
                raise InvalidArgument(
                    "file", f"Line {number} of {name} isn't one that `tidings listen` wrote."
                ) from None
            yield found
