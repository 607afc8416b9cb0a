"""SQL by name: each .sql file beside this module holds queries under `-- name:` lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load_queries(room: str) -> Mapping[str, str]:
    """Return the queries of `sql/<room>.sql` by name."""
    return named_queries((files(__package__) / "sql" / f"{room}.sql").read_text(encoding="utf-8"))


def named_queries(text: str) -> Mapping[str, str]:
    """Return the queries under the `-- name:` lines of a text; comments are left out of them."""
    _, *pieces = _NAME.split(text)
    queries: dict[str, str] = {}
    for name, body in zip(pieces[::2], pieces[1::2], strict=True):
        lines = [line for line in body.splitlines() if not line.startswith("--")]
        queries[name] = "\n".join(lines).strip()
    return queries
