"""Options of commands, made from the settings: a flag, its variable, its default, its sentence."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from pydantic.fields import FieldInfo

from tidings.config import Settings, flag_of, load_settings, variable_of

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
"""The option of every command that reads."""

DATABASE = ("database",)
SERVER = ("url", "key", "patience_seconds")
"""The settings of commands that speak to a server."""

_R = TypeVar("_R")


def with_settings(*names: str) -> Callable[[Callable[..., _R]], Callable[..., _R]]:
    """Give a command these settings as options, and its first parameter the `Settings`.

    The settings alone judge the values, wherever they come from, so that a wrong flag and a wrong
    variable are told in the same words.
    """

    def decorate(command: Callable[..., _R]) -> Callable[..., _R]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.name != "settings"]

        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> _R:
            flags = {name: kwargs.pop(name) for name in names}
            return command(load_settings(flags), *args, **kwargs)

        # Positional parameters first, or the signature is not one.
        wished = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        options = [_option(name) for name in names]
        run.__signature__ = signature.replace(parameters=[*wished, *options])  # type: ignore[attr-defined]
        run.__annotations__ = {}
        return run

    return decorate


def _option(name: str) -> inspect.Parameter:
    field = Settings.model_fields[name]
    flag = flag_of(name)
    text = f"{field.description} ({variable_of(name)}{_default(field)})"
    if field.annotation is bool:
        kind: Any = Annotated[bool | None, typer.Option(f"{flag}/--no-{flag[2:]}", help=text)]
    else:
        kind = Annotated[str | None, typer.Option(flag, help=text, metavar=_metavar(name))]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)


def _default(field: FieldInfo) -> str:
    if field.default is None:
        return ""
    shown = {True: "on", False: "off"}.get(field.default, field.default)
    return f"; default: {shown}"


def _metavar(name: str) -> str:
    return name.rpartition("_")[2].upper()
