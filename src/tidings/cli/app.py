"""The command `tidings`: its verbs, and how an error ends it.

Exit codes: 0 done, 1 refused, 2 usage. An error of ours is a sentence on standard error, never a
trace.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from tidings import __version__
from tidings.cli.exits import exit_code_of
from tidings.cli.verbs import Verbs
from tidings.config import variable_of

_OWN_FILES = 0o077
"""The umask: a database holds signing secrets, so what we make is its owner's alone."""

app = typer.Typer(
    name="tidings",
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"Every setting is a flag and an environment variable of the same name: "
    f"--log-level is {variable_of('log_level')}.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tidings {__version__}")
        raise typer.Exit


@app.callback()
def tidings(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """A change-notification engine: a durable log, thin signed pings, tokens that never skip.

    Begin with `tidings demo`, which shows the whole way of a change on real data.

    A server of your own: `tidings serve --dev`

    A key for it: `tidings keys create --account acme --name me --role admin`
    """


def main() -> None:
    """Run the command line and exit."""
    os.umask(_OWN_FILES)
    sys.exit(exit_code_of(lambda: app(prog_name="tidings")))
