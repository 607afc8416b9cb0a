"""The SQL of a place, in each driver's own way of writing parameters."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from tidings.sql_files import queries_of

_QUERIES: Final = queries_of("tidings.receiver.follower", "places.sql")
_PARAMETER: Final = re.compile(r":([a-z_]+)")
_NUMBERS: Final = {"webhook_id": "$1", "token": "$2"}


class Statements(msgspec.Struct, frozen=True):
    """The queries of places.sql."""

    make_table: str
    load: str
    begin_row: str
    hold: str
    move: str
    move_in_transaction: str


def _written(form: Callable[[str], str]) -> Statements:
    return Statements(
        **{
            name: _PARAMETER.sub(lambda found: form(found[1]), query)
            for name, query in _QUERIES.items()
        }
    )


NAMED: Final = _written(lambda name: f":{name}")
"""sqlite3's form, and SQLAlchemy's."""
PYFORMAT: Final = _written(lambda name: f"%({name})s")
"""psycopg's form."""
NUMBERED: Final = _written(_NUMBERS.__getitem__)
"""asyncpg's form: webhook_id, and token where there is one."""


def named(webhook_id: str, token: str) -> dict[str, str]:
    """Return the parameters of `hold` and `move` by name."""
    return {"webhook_id": webhook_id, "token": token}
