"""`tidings doctor`: what is wrong with this installation, in sentences (contract 3.3)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import typer

from tidings.cli.checks import Level, examine
from tidings.cli.options import DATABASE, Json, with_settings
from tidings.cli.output import print_json, print_table
from tidings.clock import SystemClock
from tidings.config import Settings
from tidings.storage.migrate import schema_state
from tidings.storage.open import sqlite_path

_SHOWN = {Level.WELL: "ok", Level.WARNING: "warning", Level.PROBLEM: "PROBLEM"}


@with_settings(*DATABASE, "dev", "connections", "sends", "ca_file")
def doctor(settings: Settings, json: Json = False) -> None:
    """Say what is wrong with this installation, and exit with 1 if something is.

    It looks at Python, SQLite, the database file and its schema, a running server, the disk,
    certificates, the clock and the settings. It changes nothing.

        $ tidings doctor --database sqlite:////var/lib/tidings/tidings.db
    """
    findings = examine(
        settings,
        Path(os.path.realpath(sqlite_path(settings.database))),
        lambda: asyncio.run(schema_state(settings.database)),
        now=SystemClock().now(),
        environment=os.environ,
    )
    if json:
        print_json(findings)
    else:
        print_table(
            ("", "CHECK", "FOUND"),
            [(_SHOWN[one.level], one.check, one.sentence) for one in findings],
        )
    if any(one.level is Level.PROBLEM for one in findings):
        raise typer.Exit(1)
