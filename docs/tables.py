"""The tables of docs/reference that are made from the code: `make reference` writes them.

A page has `<!-- table: NAME -->` before a table and `<!-- end -->` after it; a test fails where
what stands between is not what the code says.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import typer

from tidings import errors, telemetry
from tidings.api.problem import problem_of
from tidings.api.sheet_errors import sheet_code, sheet_status
from tidings.api.twirp import twirp_error
from tidings.cli.app import app
from tidings.client import Client
from tidings.config import Settings, flag_of, variable_of
from tidings.domain import limits
from tidings.domain.lifecycle import LISTED, NOTIFIED, STEPS, Stage
from tidings.domain.sheet_refusal import STATUSES, SheetCode

PAGES = Path(__file__).parent
_MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    lines = [list(columns), ["---"] * len(list(columns)), *map(list, rows)]
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def sentence(text: str | None) -> str:
    """Return the first sentence of a docstring, on one line."""
    paragraph = " ".join((text or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", re.sub(r"\[/?\w*\]", "", paragraph))[0]


def settings() -> str:
    """Every setting: its flag, its variable, its default, what it does."""
    return table(
        ("flag", "variable", "default", "what it does"),
        (
            (
                f"`{flag_of(name)}`",
                f"`{variable_of(name)}`",
                "" if field.default is None else f"`{field.default}`",
                field.description or "",
            )
            for name, field in Settings.model_fields.items()
        ),
    )


def _errors(kind: type[errors.TidingsError]) -> Iterator[type[errors.TidingsError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from _errors(child)


def _raised(kind: type[errors.TidingsError]) -> errors.TidingsError:
    filled: dict[str, Any] = {"argument": "x", "message": "x", "retry_after_seconds": 1.0}
    needed = inspect.signature(kind).parameters.values()
    return kind(**{p.name: filled[p.name] for p in needed if p.default is p.empty})


def answers() -> str:
    """What a client sees of each error: as a problem, from Twirp, and as Smartsheet's."""

    def row(kind: type[errors.TidingsError]) -> tuple[str, ...]:
        error = _raised(kind)
        problem, (status, twirp) = problem_of(error), twirp_error(error)
        code = sheet_code(error)
        return (
            f"`{kind.__name__}`",
            sentence(kind.__doc__),
            f"{problem.status} `{problem.code}`",
            f"{status} `{twirp.code}`",
            f"{sheet_status(error, code)} `{code}`",
        )

    return table(
        ("error", "means", "`/v1/…`", "webhook service", "`/2.0/…`"),
        (row(kind) for kind in _errors(errors.TidingsError)),
    )


def _documented(of: ModuleType | type) -> Iterator[tuple[str, str]]:
    """Yield the constants of a module, or of a class, each with the sentence under it."""
    [*body] = ast.parse(inspect.getsource(of)).body
    if isinstance(of, type) and isinstance(body[0], ast.ClassDef):
        body = body[0].body
    for node, below in itertools.pairwise([*body, ast.Pass()]):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name):
            told = ast.literal_eval(below.value) if isinstance(below, ast.Expr) else ""
            yield target.id, " ".join(told.split())


def sheet_codes() -> str:
    """Every code of the Smartsheet contract's answers, with the status beside it."""
    return table(
        ("`errorCode`", "status", "means"),
        (
            (f"{SheetCode[name]:d}", f"{STATUSES[SheetCode[name]]:d}", text)
            for name, text in _documented(SheetCode)
        ),
    )


def levels() -> dict[str, set[str]]:
    """Return the levels at which the code logs each event, by its constant's name.

    Those that stand in a mapping are the steps of webhooks' lives, which are logged as `info`.
    """
    code = "".join(path.read_text() for path in (PAGES.parent / "src").rglob("*.py"))
    found: dict[str, set[str]] = {}
    for call, name in re.findall(r"(?:\.(\w+)\(|:)\s*telemetry\.([A-Z_]+)\b", code):
        found.setdefault(name, set()).add({"exception": "error", "": "info"}.get(call, call))
    return found


def log_events() -> str:
    """Every log event by its name, its level, and when it is written."""
    found = levels()
    return table(
        ("event", "level", "when"),
        (
            (f"`{value}`", " or ".join(sorted(found.get(name, ()))[::-1]), text)
            for name, text in _documented(telemetry)
            if isinstance(value := getattr(telemetry, name), str)
        ),
    )


def bounds() -> str:
    """Every limit, its value, and why; a table for each part of the module."""
    parts: dict[str, list[tuple[str, str, str]]] = {}
    titles = _titles(limits)
    for name, text in _documented(limits):
        if name not in {"KIBIBYTE", "MEBIBYTE"}:
            row = (f"`{name}`", f"{getattr(limits, name):,}", text)
            parts.setdefault(titles[name], []).append(row)
    columns = ("limit", "value", "of what, and why")
    return "\n".join(f"## {title}\n\n{table(columns, rows)}" for title, rows in parts.items())


def _titles(module: ModuleType) -> dict[str, str]:
    """Return for each constant the title of its part of a module (`# --- title ---`)."""
    title, found = "", {}
    for line in inspect.getsource(module).splitlines():
        if above := re.match(r"# --- (\w.*?)(?: \(.*\))? -+$", line):
            title = above[1][0].upper() + above[1][1:]
        elif name := re.match(r"([A-Z_]+)\b.* = ", line):
            found[name[1]] = title
    return found


def commands() -> str:
    """Every command, with its arguments, and what it does."""

    def walk(command: Any, name: str) -> Iterator[tuple[str, str]]:
        if hasattr(command, "commands"):
            for child, found in command.commands.items():
                yield from walk(found, f"{name} {child}")
        else:
            arguments = [p.name.upper() for p in command.params if p.param_type_name == "argument"]
            yield f"`{' '.join([name, *arguments])}`", sentence(command.help)

    return table(("command", "what it does"), walk(typer.main.get_command(app), "tidings"))


def calls() -> str:
    """Every call of the client, in the order of its class, and what it does."""

    def shown(name: str) -> str:
        parameters = list(inspect.signature(getattr(Client, name)).parameters.values())[1:]
        named = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        given = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
        return f"`{name}({', '.join([*given, *(f'{word}=' for word in named)])})`"

    names = [name for name, value in vars(Client).items() if inspect.isfunction(value)]
    return table(
        ("call", "what it does"),
        (
            (shown(name), sentence(getattr(Client, name).__doc__))
            for name in names
            if not name.startswith("_")
        ),
    )


def stages() -> str:
    """A webhook's life, drawn from its transition table."""

    def arrow(leaves: str, enters: str, why: str) -> str:
        return f"    {leaves} --> {enters} : {why}\n"

    drawn = ["```mermaid\nstateDiagram-v2\n", arrow("[*]", STEPS[0].leaves, "CreateWebhook")]
    for step in STEPS:
        after = f"day {step.after // timedelta(days=1)}{', a warning' if step.warns else ''}"
        drawn.append(arrow(step.leaves, step.enters or "[*]", after))
    drawn += [arrow(stage, back, "ListEvents") for stage, back in LISTED.items()]
    drawn += [arrow(stage, "[*]", "DeleteWebhook") for stage in Stage]
    return "".join([*drawn, "```\n"])


def notifications() -> str:
    """In which stages pings are sent."""
    return table(
        ("stage", "since", "pings"),
        (
            (
                f"`{stage}`",
                next(
                    (f"day {s.after // timedelta(days=1)}" for s in STEPS if s.enters is stage), ""
                ),
                "on, if the owner wants them" if stage in NOTIFIED else "off",
            )
            for stage in Stage
        ),
    )


TABLES: dict[str, Callable[[], str]] = {
    made.__name__: made
    for made in (
        settings,
        answers,
        sheet_codes,
        log_events,
        bounds,
        commands,
        calls,
        stages,
        notifications,
    )
}


def filled(page: str) -> str:
    """Return a page with its tables as the code has them now."""
    return _MARKED.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], page)


if __name__ == "__main__":
    for path in sorted(PAGES.rglob("*.md")):
        path.write_text(filled(path.read_text()))
