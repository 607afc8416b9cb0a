"""SQL by name: a .sql file holds queries under `-- name:` lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def queries_of(package: str, path: str) -> Mapping[str, str]:
    """Return the queries of a package's .sql file by name; `path` is relative to the package."""
    return named_queries(files(package).joinpath(path).read_text(encoding="utf-8"))


def named_queries(text: str) -> Mapping[str, str]:
    """Return the queries under the `-- name:` lines of a text; comments are left out of them."""
    _, *pieces = _NAME.split(text)
    queries: dict[str, str] = {}
    for name, body in zip(pieces[::2], pieces[1::2], strict=True):
        lines = [line for line in body.splitlines() if not line.startswith("--")]
        queries[name] = "\n".join(lines).strip()
    return queries
