"""How an error ends a process: with a sentence on standard error, never a trace."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from tidings import __version__
from tidings.cli.output import complain
from tidings.config import variable_of
from tidings.errors import ConfigurationError, TidingsError, Unauthenticated

DONE = 0
REFUSED = 1
USAGE = 2


def exit_code_of(run: Callable[[], object]) -> int:
    """Run something; say what hindered it, and return the exit code."""
    try:
        run()
    except ConfigurationError as error:
        complain(error.message)
        return USAGE
    except Unauthenticated as error:
        complain(f"{error.message} (see `--key` or {variable_of('key')})")
        return REFUSED
    except TidingsError as error:
        complain(error.message)
        return REFUSED
    except Exception as error:  # noqa: BLE001 - the last one: a sentence, never a trace
        complain(_fault(error))
        return REFUSED
    return DONE


def _fault(error: Exception) -> str:
    """Return a sentence for what no error of ours foresaw, with the place where it happened."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"This is a fault of tidings {__version__}, please report it: {type(error).__name__}: "
        f"{error} ({frame.name}, line {frame.lineno} of {frame.filename})."
    )
