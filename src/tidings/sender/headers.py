"""What may stand in a request's headers (mechanics S3), and what came in an answer's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""RFC 9110 5.1: a token."""
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""RFC 9110 5.5: no CR, LF, NUL or other control character, so that no value adds a header."""
_OURS: Final = frozenset(
    (
        *("connection", "content-length", "expect", "host", "keep-alive", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
"""Headers that say where a message ends and whom it is for; they are libcurl's alone."""

_STATUS_LINE: Final = b"HTTP/"
_HEAD_ENDS: Final = (b"\r\n", b"\n")


class Unsendable(Exception):
    """A header that can't be sent, as a sentence."""


def header_lines(headers: Sequence[tuple[str, str]], agent: str) -> list[bytes]:
    """Return the lines for libcurl, with its own Content-Type and Expect taken out.

    A line `Name:` removes libcurl's header, `Name;` sends an empty one. Raises Unsendable.
    """
    lines = [b"Expect:", f"User-Agent: {agent}".encode("latin-1")]
    typed = False
    for name, value in headers:
        if not _NAME.fullmatch(name):
            raise Unsendable("A header's name has a character that names may not have.")
        if not _VALUE.fullmatch(value):
            raise Unsendable(f"The header {name} has a line break or another control character.")
        lowered = name.lower()
        if lowered in _OURS:
            raise Unsendable(f"The header {name} is set by the sender.")
        typed = typed or lowered == "content-type"
        line = f"{name}: {value}" if value.strip() else f"{name};"
        lines.append(line.encode("latin-1"))
    if not typed:
        lines.append(b"Content-Type:")
    return lines


def read_head(lines: Sequence[bytes]) -> dict[str, str] | None:
    """Return the headers of the last answer's head: names in lower case, the last of each.

    None if that head hasn't ended, or is an interim one (1xx). Trailers are left out.
    """
    found: dict[str, str] = {}
    for line in _last_head(lines):
        if line in _HEAD_ENDS:
            return found
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            found[name.strip().lower()] = value.strip()
    return None


def _last_head(lines: Sequence[bytes]) -> Sequence[bytes]:
    """Return what follows the last status line; nothing if that is interim or missing."""
    for place in range(len(lines) - 1, -1, -1):
        if lines[place].startswith(_STATUS_LINE):
            status = lines[place].partition(b" ")[2]
            return () if status.startswith(b"1") else lines[place + 1 :]
    return ()
