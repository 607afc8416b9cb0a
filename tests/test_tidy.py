"""The house rules that no linter knows. Each rule is a function over text, and is shown to bite."""

from __future__ import annotations

import ast
import itertools
import re
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "tidings"
BENCH = sorted((ROOT / "bench").rglob("*.py"))
PYTHON = sorted([*SOURCE.rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *BENCH])
PRODUCTION = [path for path in PYTHON if SOURCE in path.parents]
QUERIES = sorted([*SOURCE.rglob("*.sql"), *(ROOT / "bench").rglob("*.sql")])
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

FILE_LINES = 600
MEDIAN_LINES = 200
FUNCTION_LINES = 70
VAGUE_NAMES = frozenset(
    {"util", "helper", "common", "core", "base", "manager", "service", "handler", "misc"}
)

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def words_of(name: str) -> set[str]:
    """Return the words of a snake_case or CamelCase name, in lower case and the singular."""
    found = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return {word.lower().removesuffix("s") for word in found}


def too_long(text: str) -> list[str]:
    """A file that nobody reads to its end."""
    lines = text.count("\n")
    return [f"{lines} lines, over {FILE_LINES}"] if lines > FILE_LINES else []


def long_functions(text: str) -> list[str]:
    """A function that doesn't fit a screen."""
    return [
        f"{node.name} has {node.end_lineno - node.lineno + 1} lines, over {FUNCTION_LINES}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= FUNCTION_LINES
    ]


def vague_classes(text: str) -> list[str]:
    """A class whose name doesn't say what it is."""
    return [
        f"class {node.name}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef) and words_of(node.name) & VAGUE_NAMES
    ]


def public_definitions(node: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    """Yield what a reader may use: public, no dunder, not nested in a function, no bare stub."""
    for child in node.body:
        if not isinstance(child, Definition) or child.name.startswith("_"):
            continue
        if ast.unparse(child.body[0]) != "...":
            yield child
        if isinstance(child, ast.ClassDef):
            yield from public_definitions(child)


def undocumented(text: str) -> list[str]:
    """Something public without a docstring; a test's name is its sentence."""
    tree = ast.parse(text)
    found = [] if ast.get_docstring(tree) else ["the module"]
    return found + [
        node.name
        for node in public_definitions(tree)
        if ast.get_docstring(node) is None and not node.name.startswith("test_")
    ]


def unfinished(text: str) -> list[str]:
    """A note to oneself that was left lying."""
    return re.findall(r"\b(?:TODO|FIXME|XXX|HACK|NotImplementedError)\b", text)


def embedded_sql(text: str) -> list[str]:
    """A statement that belongs in a .sql file. Docstrings may speak of SQL, and SQLite's own
    catalogue may be asked what PRAGMA can't say.
    """
    tree = ast.parse(text)
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    statement = re.compile(
        r"\s*(SELECT|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+\w+|WITH\s+\w+\s+AS)\s"
    )
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in prose
        and statement.match(node.value)
        and "sqlite_schema" not in node.value
    ]


def unexplained_queries(text: str) -> list[str]:
    """A statement in a .sql file without a sentence right above it: one a paragraph."""
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in paragraph.splitlines()]
        statement = [line for line in lines if not line.startswith("--")]
        above = "\n".join(itertools.takewhile(lambda line: line.startswith("--"), lines))
        said = re.search(r"^-- (?!name:).*\w.*[.:]$", above, re.MULTILINE)
        if statement and (not said or ";" in "".join(statement)[:-1]):
            found.append(statement[0])
    return found


def idle_limits(limits: str, rest: str) -> set[str]:
    """Bounds that nothing keeps: neither `rest` nor another bound reads them."""
    tree = ast.parse(limits)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    defined = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    return {name for name in defined - read if not re.search(rf"\b{name}\b", rest)}


def empty_rooms(house: Path) -> list[str]:
    """A folder that holds no code: a stub."""
    return [
        init.parent.name
        for init in house.rglob("__init__.py")
        if init.read_text().count("\n") <= 5
        and not any(path.name != "__init__.py" for path in init.parent.rglob("*.py"))
    ]


def workplace(text: str) -> list[str]:
    """A path that exists on one machine only."""
    return re.findall(r"/wor[k]/\w+|\.\./share[d]|/\.librar[y]|/roo[t]/", text)


LONG_FUNCTION = "def f():\n" + "    pass\n" * FUNCTION_LINES
BITES: list[tuple[Callable[[str], list[str]], str]] = [
    (too_long, "\n" * (FILE_LINES + 1)),
    (long_functions, LONG_FUNCTION),
    (vague_classes, "class WebhookManager: ..."),
    (vague_classes, "class HTTPUtils: ..."),
    (undocumented, "x = 1"),
    (undocumented, '"""A module."""\ndef public(): pass'),
    (undocumented, '"""A module."""\nclass A:\n    """A class."""\n    async def b(self): pass'),
    (unfinished, "# TO" + "DO: later"),
    (unfinished, "raise NotImplemented" + "Error"),
    (embedded_sql, 'x = "SELECT 1 FROM webhook"'),
    (embedded_sql, 'x = f"""\n  INSERT INTO webhook VALUES ({y})"""'),
    (unexplained_queries, "SELECT 1;"),
    (unexplained_queries, "-- name: one\nSELECT 1;"),
    (unexplained_queries, "-- The number one.\nSELECT 1;\nSELECT 2;"),
    (unexplained_queries, "-- The number one.\n\nSELECT 1;"),
    (workplace, "see /wor" + "k/main"),
    (workplace, "see ../share" + "d/notes.md"),
]
SPARES: list[tuple[Callable[[str], list[str]], str]] = [
    (too_long, "\n" * FILE_LINES),
    (long_functions, LONG_FUNCTION.removesuffix("    pass\n")),
    (vague_classes, "class DatabaseInUse: ..."),
    (undocumented, '"""A module."""\ndef _own():\n    def inner(): ...'),
    (undocumented, '"""A module."""\nclass A:\n    """A class."""\n    def __len__(self): ...'),
    (embedded_sql, '"""SELECT what you like FROM here."""\nx = "PRAGMA user_version"'),
    (unexplained_queries, "-- A file.\n\n-- name: one\n-- One.\nSELECT 1 -- a row\n"),
]


@pytest.mark.parametrize(("rule", "bad"), BITES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_rule_bites(rule: Callable[[str], list[str]], bad: str) -> None:
    assert rule(bad)


@pytest.mark.parametrize(("rule", "good"), SPARES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_rule_spares_what_is_right(rule: Callable[[str], list[str]], good: str) -> None:
    assert rule(good) == []


@pytest.mark.parametrize(
    ("rule", "paths"),
    [
        (too_long, [*PYTHON, *QUERIES]),
        (long_functions, PYTHON),
        (vague_classes, [*PRODUCTION, *BENCH]),
        (undocumented, [*PRODUCTION, *BENCH]),
        (unfinished, [*PRODUCTION, *BENCH, *QUERIES, *PAGES]),
        (embedded_sql, PRODUCTION),
        (unexplained_queries, QUERIES),
        (workplace, [path for path in [*PYTHON, *QUERIES, *PAGES] if path != Path(__file__)]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_house_keeps_the_rule(rule: Callable[[str], list[str]], paths: list[Path]) -> None:
    complaints = [
        f"{path.relative_to(ROOT)}: {complaint}"
        for path in paths
        for complaint in rule(path.read_text())
    ]
    assert complaints == []


def test_half_of_the_files_are_short() -> None:
    lines = [path.read_text().count("\n") for path in PRODUCTION]
    assert statistics.median(lines) <= MEDIAN_LINES


def test_files_are_named_by_what_they_hold() -> None:
    assert words_of("http_utils") & VAGUE_NAMES
    assert [path.name for path in PYTHON if words_of(path.stem) & VAGUE_NAMES] == []


def test_no_room_is_empty(tmp_path: Path) -> None:
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub" / "__init__.py").write_text('"""To come."""\n')
    assert empty_rooms(tmp_path) == ["stub"]
    assert empty_rooms(SOURCE) == []


def test_every_limit_is_kept_somewhere() -> None:
    assert idle_limits("A = 1\nB = 2\nC = B\nD = 4", "x < D") == {"A", "C"}
    limits = SOURCE / "domain" / "limits.py"
    rest = "\n".join(path.read_text() for path in PRODUCTION if path != limits)
    assert idle_limits(limits.read_text(), rest) == set()


def test_every_migration_has_its_like_on_the_other_database() -> None:
    sqlite, postgres = (
        sorted(path.name for path in (SOURCE / "storage" / adapter / "migrations").glob("*.sql"))
        for adapter in ("sqlite", "postgres")
    )
    assert sqlite
    assert sqlite == postgres
