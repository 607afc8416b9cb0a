"""What `tidings doctor` looks at where the database is PostgreSQL."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping
from datetime import datetime

import certifi
import msgspec

from tidings.cli.checks import (
    CLOCK_TOLERANCE,
    Finding,
    Level,
    check_authorities,
    check_descriptors,
    check_python,
    check_schema,
    check_settings,
)
from tidings.config import Settings
from tidings.domain import limits
from tidings.domain.instants import from_milliseconds
from tidings.errors import TidingsError
from tidings.ports import SchemaState


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of the server."""

    shown: str
    standby: bool
    synchronous_commit: str
    fsync: bool
    oldest_snapshot_seconds: float
    now_seconds: float
    days_ahead: int


def check_server(seen: Seen) -> Finding:
    """Whether what is committed there is kept."""
    shown = f"PostgreSQL {seen.shown}"
    if seen.standby:
        sentence = f"{shown} is a standby: it takes no writes. Name the primary, or all of them."
        return Finding("postgresql", Level.PROBLEM, sentence)
    for setting, is_off in (
        ("synchronous_commit", seen.synchronous_commit == "off"),
        ("fsync", not seen.fsync),
    ):
        if is_off:
            sentence = f"{setting} is off: a crash can lose what was answered with success."
            return Finding("postgresql", Level.PROBLEM, sentence)
    return Finding("postgresql", Level.WELL, f"{shown} takes writes and keeps them.")


def check_snapshots(seen: Seen) -> Finding:
    """Whether somebody holds a snapshot so long that hot rows pile up (mechanics G2)."""
    seconds = seen.oldest_snapshot_seconds
    if seconds > limits.SNAPSHOT_SECONDS:
        sentence = (
            f"A transaction has held its snapshot for {seconds:,.0f} s: leases and checkpoints "
            "pile up behind it. Take backups and reports from a standby."
        )
        return Finding("snapshots", Level.WARNING, sentence)
    return Finding("snapshots", Level.WELL, "No transaction has held its snapshot for long.")


def check_days(seen: Seen) -> Finding:
    """Whether the coming days have their partitions (mechanics G1)."""
    if seen.days_ahead < limits.DAYS_AHEAD_LEAST:
        sentence = f"Partitions are there for {seen.days_ahead} days ahead only: start a server."
        return Finding("partitions", Level.PROBLEM, sentence)
    sentence = f"Partitions are there for {seen.days_ahead} days ahead."
    return Finding("partitions", Level.WELL, sentence)


def check_clocks(seen: Seen, now: datetime) -> Finding:
    """Whether the database's clock, by which all durable times go, is near this machine's."""
    theirs = from_milliseconds(round(seen.now_seconds * 1000))
    if abs(theirs - now) > CLOCK_TOLERANCE:
        sentence = f"The database's clock says {theirs:%F %T} UTC, and this machine's {now:%F %T}."
        return Finding("clock", Level.PROBLEM, f"{sentence} One of both is wrong.")
    return Finding("clock", Level.WELL, f"The database's clock says {theirs:%F %T} UTC.")


def examine_postgres(
    settings: Settings,
    look: Callable[[], SchemaState],
    see: Callable[[], Seen],
    *,
    now: datetime,
    environment: Mapping[str, str],
) -> list[Finding]:
    """Do all checks of an installation whose database is PostgreSQL."""
    schema = check_schema(look)
    found = [check_python(), schema]
    if schema.level is Level.WELL:
        try:
            seen = see()
        except TidingsError as error:
            found.append(Finding("postgresql", Level.PROBLEM, f"{error.message}."))
        else:
            found += [check_server(seen), check_snapshots(seen), check_days(seen)]
            found.append(check_clocks(seen, now))
    return [
        *found,
        check_authorities(settings.ca_file or certifi.where()),
        check_descriptors(settings, resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        *check_settings(settings, environment),
    ]
