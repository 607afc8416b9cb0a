"""A file of lines that can be read again from its start: what `tidings publish` sends."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tidings.errors import InvalidArgument

PIECE_BYTES = 256 * 1024
"""What is read and sent at a time."""
_GZIP_MAGIC = b"\x1f\x8b"


class LinesFile:
    """An open file, plain or gzip. `size` is its bytes on disk."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self._packed = file.read(2) == _GZIP_MAGIC
        self.size = file.seek(0, 2)

    def idempotency_key(self, solution: str) -> str:
        """Return a key of the content and the solution, the same whenever these are the same."""
        digest = hashlib.sha256(f"{len(solution)}:{solution}:".encode())
        for piece in self._unpacked(lambda offset: None):
            digest.update(piece)
        return f"file-{digest.hexdigest()}"

    def pieces(self, moved_to: Callable[[int], None], *, packed: bool) -> Iterator[bytes]:
        """Yield the content from its start, gzipped if `packed`; tell how far the file is read."""
        if not packed:
            yield from self._unpacked(moved_to)
            return
        packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
        for piece in self._unpacked(moved_to):
            if part := packer.compress(piece):
                yield part
        yield packer.flush()

    def _unpacked(self, moved_to: Callable[[int], None]) -> Iterator[bytes]:
        self._file.seek(0)
        source: IO[bytes] = (
            gzip.GzipFile(fileobj=self._file, mode="rb")  # type: ignore[assignment]
            if self._packed
            else self._file
        )
        try:
            while piece := source.read(PIECE_BYTES):
                yield piece
                moved_to(self._file.tell())
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InvalidArgument("file", f"{self._name} isn't whole gzip: {error}.") from None


@contextmanager
def open_lines(name: str) -> Iterator[LinesFile]:
    """Open a file, or standard input as `-`, which is kept in a temporary file meanwhile."""
    if name == "-":
        with tempfile.TemporaryFile() as kept:
            shutil.copyfileobj(sys.stdin.buffer, kept)
            kept.seek(0)
            yield LinesFile(kept, "the input")
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed by the `with` below
    except OSError as error:
        raise InvalidArgument("file", f"{name} can't be read: {error.strerror}.") from None
    with file:
        yield LinesFile(file, name)
