"""`tidings serve`: run the server until it is told to stop (contract 3.3)."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

from tidings.cli.logs import configure_logs
from tidings.cli.options import with_settings
from tidings.cli.output import note
from tidings.clock import SystemClock
from tidings.config import Settings, flag_of
from tidings.domain.server_role import EVERY_ROLE
from tidings.errors import ConfigurationError

if TYPE_CHECKING:
    from tidings.cli.sockets import Sockets

_SWITCH_SECONDS = 0.0005
_COLLECT_AFTER = 50_000


@with_settings(
    "database",
    "database_connections",
    "statement_seconds",
    "host",
    "port",
    "health_port",
    "roles",
    "workers",
    "dev",
    "connections",
    "requests_per_second",
    "sheet_requests_per_minute",
    "publish_requests_per_second",
    "account_webhooks",
    "solution_webhooks",
    "sends",
    "callback_gather_seconds",
    "drain_seconds",
    "ca_file",
    "log_level",
    "log_format",
)
def serve(settings: Settings) -> None:
    """Run the server: publishing, webhooks, events and pings.

    It makes or migrates a SQLite database by itself (PostgreSQL's only `tidings migrate` does), and
    accepts connections only when it is ready. On SIGTERM or Ctrl-C it answers what is open, lets
    pings land and ends within 30 seconds. A kill at any moment loses nothing that was answered.

        $ tidings serve --dev
        $ tidings serve --database sqlite:////var/lib/tidings/tidings.db --host 0.0.0.0
        $ tidings serve --database postgresql://db/tidings --workers 4
        $ tidings serve --database postgresql://db/tidings --roles dispatcher
    """
    check_shared(settings)
    check_ca_file(settings)
    configure_logs(settings.log_level, settings.log_format)
    if settings.workers > 1:
        sys.exit(_serve_together(settings))
    _serve_alone(settings)


def check_shared(settings: Settings) -> None:
    """Return if the database lets this process be one of several, where it is meant to be.

    Raises ConfigurationError.
    """
    from tidings.storage.open import capabilities_of

    alone = settings.workers == 1 and settings.server_roles == EVERY_ROLE
    if not alone and capabilities_of(settings.database).sole_server:
        name = "workers" if settings.workers > 1 else "roles"
        raise ConfigurationError(
            name,
            f"{flag_of(name)} is for a database that several processes may serve; one alone "
            f"serves {settings.database}. Use PostgreSQL: {flag_of('database')} postgresql://...",
        )


def check_ca_file(settings: Settings) -> None:
    """Return if endpoints' certificates can be verified: else each ping would fail for a day.

    Raises ConfigurationError.
    """
    from tidings.cli.checks import Level, check_authorities

    if settings.ca_file is not None:
        found = check_authorities(settings.ca_file)
        if found.level is not Level.WELL:
            raise ConfigurationError("ca_file", f"{flag_of('ca_file')} is wrong: {found.sentence}")


def _serve_alone(
    settings: Settings, *, sockets: Sockets | None = None, lifeline: int | None = None
) -> None:
    # Imported late, so that no other command waits for all the server's parts to load.
    import uvloop

    from tidings.cli.server import run_server

    tune_interpreter()
    uvloop.run(run_server(settings, _ready, sockets=sockets, lifeline=lifeline))


def _serve_together(settings: Settings) -> int:
    """Bind the ports once, and let each worker accept from them; return the exit code."""
    from tidings.cli import server  # noqa: F401 - loaded once, and not by each worker
    from tidings.cli.sockets import bound_sockets
    from tidings.cli.workers import Workers

    with bound_sockets(settings) as sockets:

        def work(lifeline: int) -> None:
            _serve_alone(settings, sockets=sockets, lifeline=lifeline)

        gc.freeze()
        return Workers(settings.workers, work, SystemClock()).run()


def tune_interpreter() -> None:
    """Set CPython up for a busy event loop beside a thread that writes."""
    # The log's writer is a thread that asks for the interpreter's lock at each statement. With
    # CPython's 5 ms a busy event loop held appends up for seconds (p99 3 s, with 0.5 ms 0.18 s).
    sys.setswitchinterval(_SWITCH_SECONDS)
    # Requests leave next to no cycles, and by default CPython looks for some every few of them: a
    # tenth of what a small publish costs.
    gc.set_threshold(_COLLECT_AFTER)


def _ready(sentence: str) -> None:
    # What is here by now stays, above all the webhooks: 100,000 of them are looked through no more.
    gc.freeze()
    note(sentence)
