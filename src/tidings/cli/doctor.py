"""`tidings doctor`: what is wrong with this installation, in sentences (contract 3.3)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import typer

from tidings.cli.checks import Finding, Level, examine
from tidings.cli.database import opening
from tidings.cli.options import DATABASE, Json, with_settings
from tidings.cli.output import print_json, print_table
from tidings.cli.postgres_checks import Seen, examine_postgres
from tidings.clock import SystemClock
from tidings.config import Settings
from tidings.ports import SchemaState
from tidings.storage.migrate import schema_state
from tidings.storage.open import is_postgres, postgres, sqlite_path

_SHOWN = {Level.WELL: "ok", Level.WARNING: "warning", Level.PROBLEM: "PROBLEM"}


@with_settings(*DATABASE, "dev", "connections", "sends", "ca_file")
def doctor(settings: Settings, json: Json = False) -> None:
    """Say what is wrong with this installation, and exit with 1 if something is.

    It looks at Python, SQLite, the database file and its schema, a running server, the disk,
    certificates, the clock and the settings; at PostgreSQL's durability, snapshots, partitions and
    clock. It changes nothing.

        $ tidings doctor --database sqlite:////var/lib/tidings/tidings.db
    """
    findings = _examined(settings)
    if json:
        print_json(findings)
    else:
        print_table(
            ("", "CHECK", "FOUND"),
            [(_SHOWN[one.level], one.check, one.sentence) for one in findings],
        )
    if any(one.level is Level.PROBLEM for one in findings):
        raise typer.Exit(1)


def _examined(settings: Settings) -> list[Finding]:
    url, now = settings.database, SystemClock().now()

    def look() -> SchemaState:
        with opening(url):
            return asyncio.run(schema_state(url))

    def see() -> Seen:
        server, days_ahead = asyncio.run(postgres().look_at_database(url))
        return Seen(
            shown=server.shown,
            standby=server.standby,
            synchronous_commit=server.synchronous_commit,
            fsync=server.fsync,
            oldest_snapshot_seconds=server.oldest_snapshot_seconds,
            now_seconds=server.now_seconds,
            days_ahead=days_ahead,
        )

    if is_postgres(url):
        return examine_postgres(settings, look, see, now=now, environment=os.environ)
    path = Path(os.path.realpath(sqlite_path(url)))
    return examine(settings, path, look, now=now, environment=os.environ)
