"""What stands behind the `?` of a path."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from starlette.datastructures import QueryParams
from starlette.types import Scope

from tidings.errors import InvalidArgument


def read_query(scope: Scope) -> QueryParams:
    """Read the query; what isn't UTF-8 is refused, or wrong bytes would all become one id."""
    raw: bytes = scope.get("query_string", b"")
    try:
        unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise InvalidArgument("query", "the query must be percent-encoded UTF-8") from error
    return QueryParams(raw)
