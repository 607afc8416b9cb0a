"""The verbs of `tidings`, each loaded when it is asked for.

A verb is what the module of its name holds under its name: a command, or a Typer of several. Loaded
all at once, whoever starts one would wait for the parts of every other.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

VERBS = (
    *("serve", "keys", "publish", "webhooks", "events", "listen", "replay"),
    *("migrate", "doctor", "demo"),
)
"""In the order of the help."""


class Verbs(TyperGroup):
    """The command `tidings` over its verbs."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = _Loaded()


class _Loaded(Mapping[str, Any]):
    """Each verb's command by its name."""

    def __getitem__(self, verb: str) -> Any:
        if verb not in VERBS:
            raise KeyError(verb)
        return _load(verb)

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


@functools.cache
def _load(verb: str) -> Any:
    held = getattr(import_module(f"tidings.cli.{verb}"), verb)
    alone = typer.Typer(rich_markup_mode="markdown")
    if isinstance(held, typer.Typer):
        alone.add_typer(held, name=verb)
    else:
        alone.command(verb)(held)
    return get_group(alone).commands[verb]
