"""What `tidings doctor` looks at: each check says in a sentence what it found, changing nothing."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import ssl
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import apsw
import certifi
import msgspec

from tidings.config import ENV_PREFIX, Settings, variable_of
from tidings.domain.limits import MEBIBYTE
from tidings.errors import TidingsError
from tidings.ports import SchemaState

OLDEST_PYTHON = (3, 11)
OLDEST_SQLITE = (3, 51, 3)
"""The first without the fault that could damage a WAL database at a reset."""
LEAST_FREE_BYTES = 256 * MEBIBYTE
"""Less is an hour of a busy log."""
RELEASED_AT = datetime(2026, 1, 1, tzinfo=UTC)
"""No machine that runs this code lives before it."""
CLOCK_TOLERANCE = timedelta(minutes=1)
OTHER_DESCRIPTORS = 128
"""Files that the server has open beside its connections."""


class Level(StrEnum):
    """How bad a finding is: only a problem makes `doctor` exit with 1."""

    WELL = "well"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(msgspec.Struct, frozen=True):
    """What one check found."""

    check: str
    level: Level
    sentence: str


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Whether this Python is one that Tidings supports."""
    shown = platform.python_version()
    if version < OLDEST_PYTHON:
        return Finding("python", Level.PROBLEM, f"Python {shown} is too old: 3.11 is needed.")
    return Finding("python", Level.WELL, f"Python {shown}.")


def check_sqlite(version: str) -> Finding:
    """Whether the bundled SQLite is new enough to be trusted with a WAL database."""
    found = tuple(int(part) for part in version.split(".")[:3])
    if found < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        sentence = f"SQLite {version} can damage a database in WAL mode: {needed} is needed (apsw)."
        return Finding("sqlite", Level.PROBLEM, sentence)
    return Finding("sqlite", Level.WELL, f"SQLite {version}, bundled with apsw.")


def check_place(path: Path) -> Finding:
    """Whether this user may read and write the database file, or make it."""
    folder = path.parent
    if path.exists():
        if not os.access(path, os.R_OK | os.W_OK):
            return Finding("place", Level.PROBLEM, f"This user may not read and write {path}.")
    elif not folder.is_dir():
        return Finding("place", Level.PROBLEM, f"The folder {folder} doesn't exist.")
    if not os.access(folder, os.W_OK | os.X_OK):
        sentence = f"This user may not make files in {folder}: SQLite needs two beside its own."
        return Finding("place", Level.PROBLEM, sentence)
    return Finding("place", Level.WELL, f"{path} can be read and written.")


def check_readers(path: Path) -> Finding:
    """Whether strangers on this machine can read the signing secrets in the file."""
    if path.exists() and path.stat().st_mode & stat.S_IROTH:
        sentence = f"Every user of this machine may read {path}, and it holds signing secrets."
        return Finding("secrecy", Level.WARNING, f"{sentence} Mend it with: chmod o= {path}")
    return Finding("secrecy", Level.WELL, "No stranger on this machine may read the database.")


def check_file(look: Callable[[], SchemaState], path: Path) -> Finding:
    """Whether the file is a database of ours, and of this version."""
    if not path.exists():
        sentence = f"{path} doesn't exist yet: `tidings serve` will make it."
        return Finding("schema", Level.WELL, sentence)
    return check_schema(look)


def check_schema(look: Callable[[], SchemaState]) -> Finding:
    """Whether a database is ours, and of this version."""
    try:
        state = look()
    except TidingsError as error:
        return Finding("schema", Level.PROBLEM, f"{error.message}.")
    if state.found < state.needed:
        sentence = (
            f"The schema is at {state.found} and this version needs {state.needed}: run "
            "`tidings migrate` (on SQLite with the server stopped)."
        )
        return Finding("schema", Level.PROBLEM, sentence)
    if state.found > state.needed:
        sentence = (
            f"The schema is at {state.found} and this version knows {state.needed}: the database "
            "was made by a newer Tidings."
        )
        return Finding("schema", Level.PROBLEM, sentence)
    return Finding("schema", Level.WELL, f"The schema is at {state.found}, as it should be.")


def check_server(path: Path, locks: str) -> Finding:
    """Whether a server holds the file; `locks` is the kernel's list (/proc/locks)."""
    lock = Path(f"{path}.lock")
    if lock.exists() and _is_locked(lock.stat(), locks):
        holder = lock.read_text(errors="replace").strip() or "unknown"
        sentence = f"A server is running on {path} (process {holder})."
        return Finding("server", Level.WELL, sentence)
    return Finding("server", Level.WELL, f"No server is running on {path}.")


def _is_locked(status: os.stat_result, locks: str) -> bool:
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    return any(
        fields[1] == "FLOCK" and device in fields
        for line in locks.splitlines()
        if len(fields := line.split()) > 1
    )


def check_space(free_bytes: int) -> Finding:
    """Whether the disk has room for the log to grow."""
    shown = f"{free_bytes // MEBIBYTE:,} MiB are free where the database is"
    if free_bytes < LEAST_FREE_BYTES:
        return Finding("disk", Level.PROBLEM, f"Only {shown}: publishing will soon be refused.")
    return Finding("disk", Level.WELL, f"{shown}.")


def check_authorities(ca_file: str) -> Finding:
    """Whether endpoints' certificates can be verified."""
    try:
        known = len(ssl.create_default_context(cafile=ca_file).get_ca_certs())
    except (OSError, ssl.SSLError) as error:
        sentence = f"The certificate authorities in {ca_file} can't be read: {error}."
        return Finding("tls", Level.PROBLEM, sentence)
    if known == 0:
        sentence = f"{ca_file} holds no certificate authority: no https endpoint can be pinged."
        return Finding("tls", Level.PROBLEM, sentence)
    return Finding("tls", Level.WELL, f"{known} certificate authorities in {ca_file}.")


def check_time(now: datetime, path: Path) -> Finding:
    """Whether the clock can be right: not before the release, nor before the last write."""
    written_at = now
    if path.exists():
        written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    if now < RELEASED_AT:
        return Finding("clock", Level.PROBLEM, f"The clock says {now:%Y-%m-%d}: it is wrong.")
    if written_at > now + CLOCK_TOLERANCE:
        sentence = f"The clock says {now:%F %T}, but the database was written at {written_at:%F %T}"
        return Finding("clock", Level.PROBLEM, f"{sentence}: one of both clocks was wrong.")
    return Finding("clock", Level.WELL, f"The clock says {now:%F %T} UTC.")


def check_descriptors(settings: Settings, allowed: int) -> Finding:
    """Whether the process may open as many files as its settings ask for."""
    needed = settings.connections + settings.sends + OTHER_DESCRIPTORS
    if allowed < needed:
        sentence = (
            f"A process may open {allowed} files, and {needed} can be needed: raise it "
            f"(`ulimit -n {needed}`), or lower {variable_of('connections')}."
        )
        return Finding("files", Level.WARNING, sentence)
    return Finding("files", Level.WELL, f"A process may open {allowed} files.")


def check_settings(settings: Settings, environment: Mapping[str, str]) -> Iterable[Finding]:
    """Whether variables are mistyped, and whether the development switch is on."""
    known = {variable_of(name) for name in Settings.model_fields}
    for name in sorted(environment):
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in known:
            yield Finding("settings", Level.WARNING, f"{name} is no setting; is it mistyped?")
    if settings.dev:
        sentence = "dev is on: endpoints may be http:// and on this machine. Not for production."
        yield Finding("settings", Level.WARNING, sentence)
    yield Finding("settings", Level.WELL, "All settings have values that can be used.")


def examine(
    settings: Settings,
    path: Path,
    look: Callable[[], SchemaState],
    *,
    now: datetime,
    environment: Mapping[str, str],
) -> list[Finding]:
    """Do all checks of an installation whose database is the file `path`."""
    locks = Path("/proc/locks")
    folder = path.parent if path.parent.is_dir() else Path.cwd()
    return [
        check_python(),
        check_sqlite(apsw.sqlite_lib_version()),
        check_place(path),
        check_readers(path),
        check_file(look, path),
        check_server(path, locks.read_text() if locks.exists() else ""),
        check_space(shutil.disk_usage(folder).free),
        check_authorities(settings.ca_file or certifi.where()),
        check_time(now, path),
        check_descriptors(settings, resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        *check_settings(settings, environment),
    ]
