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

STATUS_LINE: Final = b"HTTP/"


def why_not_sendable(headers: Sequence[tuple[str, str]]) -> str | None:
    """Return a sentence about the first header that can't be sent, or None."""
    for name, value in headers:
        if not _NAME.fullmatch(name):
            return "A header's name has a character that names may not have."
        if not _VALUE.fullmatch(value):
            return f"The header {name} has a line break or another control character."
        if name.lower() in _OURS:
            return f"The header {name} is set by the sender."
    return None


def header_lines(headers: Sequence[tuple[str, str]], agent: str) -> list[bytes]:
    """Return the lines for libcurl, with its own Content-Type and Expect taken out.

    A line `Name:` removes libcurl's header, `Name;` sends an empty one.
    """
    lines = [b"Expect:", f"User-Agent: {agent}".encode("latin-1")]
    named = set()
    for name, value in headers:
        named.add(name.lower())
        line = f"{name}: {value}" if value.strip() else f"{name};"
        lines.append(line.encode("latin-1"))
    if "content-type" not in named:
        lines.append(b"Content-Type:")
    return lines


def is_whole(lines: Sequence[bytes]) -> bool:
    """Return whether the last answer's head among `lines` has ended, and isn't an interim one."""
    return any(not line.strip() for line in _last_head(lines))


def read_headers(lines: Sequence[bytes]) -> dict[str, str]:
    """Return the last head's headers: names in lower case, the last of each; no trailers."""
    found: dict[str, str] = {}
    for line in _last_head(lines)[1:]:
        if not line.strip():
            break
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            found[name.strip().lower()] = value.strip()
    return found


def _last_head(lines: Sequence[bytes]) -> Sequence[bytes]:
    """Return the lines from the last status line on; none if it is interim (1xx) or missing."""
    for place in range(len(lines) - 1, -1, -1):
        if lines[place].startswith(STATUS_LINE):
            status = lines[place].partition(b" ")[2]
            return () if status.startswith(b"1") else lines[place:]
    return ()
