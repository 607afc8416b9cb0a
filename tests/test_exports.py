"""What a user gets: the public names, the files of the wheel, and nothing that isn't asked for."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import pkgutil
import re
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import tidings

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SERVER = {"apsw", "pycurl", "aiodns", "pycares", "uvicorn", "starlette", "uvloop", "typer"}
BROUGHT = {"flask"}
"""Frameworks that a consumer brings: whoever asks for such an adapter has the framework."""
ROOMS = [tidings.__name__] + [
    module.name
    for module in pkgutil.iter_modules(tidings.__path__, "tidings.")
    if module.name != "tidings.__main__"
]


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_of_a_room_is_there(room: str) -> None:
    module = importlib.import_module(room)
    names = getattr(module, "__all__", [])
    assert len(names) == len(set(names))
    assert [name for name in names if not hasattr(module, name)] == []


def test_the_version_is_the_projects() -> None:
    assert tidings.__version__ == PROJECT["version"]


@pytest.mark.parametrize(
    ("imported", "unwanted"),
    [
        ("tidings", SERVER | {"httpx"}),
        ("tidings.domain.signing", SERVER | {"httpx", "asyncio"}),
        ("tidings.domain.event", SERVER | {"httpx", "asyncio"}),
        ("tidings.client", SERVER),
        ("tidings.receiver", SERVER | BROUGHT | {"asyncpg"}),
    ],
)
def test_an_import_brings_nothing_of_the_server(imported: str, unwanted: set[str]) -> None:
    program = f"import sys, {imported}; print(*(set(sys.modules) & set({sorted(unwanted)})))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.split() == []


def test_the_wheel_holds_what_is_no_python() -> None:
    package = files("tidings")
    assert package.joinpath("py.typed").is_file()
    assert package.joinpath("demo", "data", "sp500_changes.jsonl").is_file()
    for room in ("migrations", "sql"):
        folder = package.joinpath("storage", "sqlite", room)
        assert any(entry.name.endswith(".sql") for entry in folder.iterdir())
    assert package.joinpath("receiver", "sqlite_inbox.sql").is_file()


def normal(name: str) -> str:
    """Return a distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imported_by(paths: set[Path]) -> set[str]:
    """Return the distributions, but for our own, that these modules import."""
    modules: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.split(".")[0])
    owners = importlib.metadata.packages_distributions()
    foreign = modules - sys.stdlib_module_names - {"tidings", "tests"}
    return {normal(owner) for module in foreign for owner in owners[module]}


def test_every_import_of_the_package_is_a_declared_dependency() -> None:
    declared = {normal(Requirement(text).name) for text in PROJECT["dependencies"]}
    extra = {normal(Requirement(text).name) for text in PROJECT["optional-dependencies"]["testing"]}
    shipped = set((ROOT / "src").rglob("*.py"))
    testing = set((ROOT / "src" / "tidings" / "testing").rglob("*.py"))
    postgres = {
        normal(Requirement(text).name) for text in PROJECT["optional-dependencies"]["postgres"]
    }
    assert imported_by(shipped - testing) - declared - postgres == BROUGHT
    assert imported_by(testing) - declared - extra == set()


def test_what_runs_here_is_what_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pinned = {normal(name): version for name, version in pins.items()}
    declared = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    assert {normal(Requirement(text).name) for text in declared} <= pinned.keys()
    installed = {normal(found.name): found.version for found in importlib.metadata.distributions()}
    assert {name: installed.get(name, version) for name, version in pinned.items()} == pinned
