"""`tidings serve`: run the server until it is told to stop (contract 3.3)."""

from __future__ import annotations

import gc
import sys

from tidings.cli.logs import configure_logs
from tidings.cli.options import with_settings
from tidings.cli.output import note
from tidings.config import Settings

_SWITCH_SECONDS = 0.0005
_COLLECT_AFTER = 50_000


@with_settings(
    "database",
    "database_connections",
    "statement_seconds",
    "host",
    "port",
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
    """
    # Imported late, so that no other command waits for all the server's parts to load.
    import uvloop

    from tidings.cli.server import run_server

    configure_logs(settings.log_level, settings.log_format)
    tune_interpreter()
    uvloop.run(run_server(settings, _listening))


def tune_interpreter() -> None:
    """Set CPython up for a busy event loop beside a thread that writes."""
    # The log's writer is a thread that asks for the interpreter's lock at each statement. With
    # CPython's 5 ms a busy event loop held appends up for seconds (p99 3 s, with 0.5 ms 0.18 s).
    sys.setswitchinterval(_SWITCH_SECONDS)
    # Requests leave next to no cycles, and by default CPython looks for some every few of them: a
    # tenth of what a small publish costs.
    gc.set_threshold(_COLLECT_AFTER)


def _listening(url: str) -> None:
    # What is here by now stays, above all the webhooks: 100,000 of them are looked through no more.
    gc.freeze()
    note(f"tidings is listening on {url}")
