"""`tidings migrate`: bring the database's schema up to this version (contract 3.3)."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from tidings.cli.database import opening
from tidings.cli.options import DATABASE, Json, with_settings
from tidings.cli.output import note, print_json
from tidings.config import Settings
from tidings.errors import SchemaAhead, SchemaBehind
from tidings.storage.migrate import migrate as migrate_database
from tidings.storage.migrate import schema_state


@with_settings(*DATABASE)
def migrate(
    settings: Settings,
    check: Annotated[
        bool, typer.Option("--check", help="Only look: exit 1 when the schema is behind, or ahead.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring the database's schema up to what this version needs.

    `serve` does this by itself on SQLite. No server may run on the file meanwhile. On PostgreSQL
    it is done here only, and before the servers of a new version start.

        $ tidings migrate --check
        $ tidings migrate --database postgresql://tidings@db.internal/tidings
    """
    with opening(settings.database):
        if not check:
            asyncio.run(migrate_database(settings.database))
        state = asyncio.run(schema_state(settings.database))
    if json:
        print_json(state)
    if state.found < state.needed:
        raise SchemaBehind(
            f"The schema is at {state.found}, this version needs {state.needed}: "
            "run `tidings migrate`."
        )
    if state.found > state.needed:
        raise SchemaAhead(
            f"The schema is at {state.found}, this version knows {state.needed}: the database was "
            "made by a newer Tidings."
        )
    if not json:
        note(f"The schema is at {state.found}, which is what this version needs.")
