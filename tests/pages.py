"""Reading Markdown pages: their code blocks, links and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_FENCE = re.compile(r"^\s*```")
_MARKER = re.compile(r"^<!-- (run: background|answer|prints|file: \S+) -->$")
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, its language, the marker above it, its text."""

    place: str
    language: str
    marker: str
    text: str


def blocks_of(page: str, name: str) -> Iterator[Block]:
    """Yield a page's fenced blocks in order. Raises ValueError for one that isn't closed."""
    marker, fence, lines = "", None, list[str]()
    for number, line in enumerate(page.splitlines(), 1):
        if _FENCE.match(line):
            if fence is None:
                fence, lines = (number, line.strip().removeprefix("```")), []
            else:
                yield Block(f"{name}:{fence[0]}", fence[1], marker, "\n".join(lines) + "\n")
                marker, fence = "", None
        elif fence is not None:
            lines.append(line)
        elif line.strip():
            found = _MARKER.match(line)
            marker = found[1] if found else ""
    if fence is not None:
        raise ValueError(f"{name}:{fence[0]}: the block isn't closed")


def _prose(page: str) -> str:
    """Return a page without its blocks."""
    return re.sub(r"^\s*```.*?^\s*```$", "", page, flags=re.DOTALL | re.MULTILINE)


def links_of(page: str) -> list[str]:
    """Return a page's links into the project."""
    return [link for link in _LINK.findall(_prose(page)) if "://" not in link]


def headings_of(page: str) -> set[str]:
    """Return the anchors of a page's headings, as forges make them."""
    titles = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def shape_of(value: Any) -> Any:
    """Return JSON with its values replaced by their types; a list is as its first element is."""
    if isinstance(value, dict):
        return {key: shape_of(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape_of(value[0])] if value else []
    return type(value).__name__
