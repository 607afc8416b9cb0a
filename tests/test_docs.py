"""What the pages say is done: every code block is run or checked, every link leads somewhere.

A page's blocks run in order, in a folder of their own, against real processes:

- ``bash`` blocks run in bash; what they assign is there in the page's later blocks. A block of
  `make` targets alone is checked against the Makefile: its targets are this test's own callers.
- a ``bash`` block after `<!-- run: background -->` is started, and waited for by its port;
- a ``json`` block has to parse; after `<!-- answer -->` it has to have the shape of what the last
  ``bash`` block printed;
- a ``python`` block runs in the page's namespace; after `<!-- file: NAME -->` it is written there;
- a ``text`` block is a picture; after `<!-- prints -->` it is what the last ``bash`` block printed.
  Any other language is refused.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from codeop import compile_command
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.pages import Block, blocks_of, headings_of, links_of, shape_of
from tidings import errors, telemetry

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
PORTS = ("8000", "8008", "8080", "8443", "9000")
"""Ports that pages speak of; each is another one here, that is free."""
POSTGRES = "postgresql://tidings@localhost/tidings"
"""A database that pages speak of; a page that does gets a fresh one."""
BLOCK_SECONDS = 60
"""For one block; and for a process in the background to open its port."""


class Reader:
    """Someone who does what a page says, block by block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: str(free_port()) for name in PORTS}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.printed = ""
        self.database = POSTGRES
        self.names: dict[str, Any] = {"__name__": "docs"}
        self.environment = {
            "PATH": f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TIDINGS_PORT": self.ports["8080"],
            # A test reads faster than a person.
            "TIDINGS_REQUESTS_PER_SECOND": "1000",
            "TIDINGS_CALLBACK_GATHER_SECONDS": "0.05",
            "TIDINGS_URL": f"http://127.0.0.1:{self.ports['8080']}",
        }
        (folder / "bin").mkdir()
        for tool in ("curl", "openssl"):
            if shutil.which(tool) is None:
                (folder / "bin" / tool).symlink_to(ROOT / "tests" / tool)

    def do(self, block: Block) -> None:
        """Run or check one block."""
        text = re.sub(rf"\b({'|'.join(PORTS)})\b", lambda found: self.ports[found[0]], block.text)
        text = text.replace(POSTGRES, self.database)
        match block.language, block.marker:
            case "bash", "run: background":
                self.start(text)
            case "bash", "":
                self.run(text)
            case "json", "":
                json.loads(text)
            case "json", "answer":
                assert shape_of(json.loads(self.printed)) == shape_of(json.loads(text))
            case "python", "":
                self.evaluate(text, block)
            case "python", str(marker) if marker.startswith("file: "):
                (self.folder / marker.removeprefix("file: ")).write_text(text)
            case "text", "prints":
                assert [line.rstrip() for line in self.printed.splitlines()] == text.splitlines()
            case (("text" | "mermaid"), ""):
                pass  # drawings; one that is made from the code is compared with it below
            case unknown:
                pytest.fail(f"{block.place}: nothing checks {unknown}")

    def start(self, text: str) -> None:
        """Start a process and return once its port is open."""
        named = [port for port in self.ports.values() if port in text]
        port = named[0] if named else self.ports["9000" if ".py" in text else "8080"]
        process = subprocess.Popen(
            ["bash", "-c", f"exec {text}"], cwd=self.folder, env=self.environment
        )
        self.processes.append(process)
        wait_for_port(int(port), process)

    def run(self, text: str) -> None:
        """Run a block, or check its targets; keep what it printed and what it assigned."""
        lines = text.strip().splitlines()
        if all(line.startswith("make ") for line in lines):
            targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
            assert {line.split()[1] for line in lines} <= targets
            return
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-ac", f"{text}\nenv -0 > environment"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=BLOCK_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        self.printed = done.stdout
        pairs = (self.folder / "environment").read_text().split("\0")
        self.environment = dict(pair.split("=", 1) for pair in pairs if pair)

    def evaluate(self, text: str, block: Block) -> None:
        """Run Python in the page's namespace, with the page's environment."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            exec(compile(text, block.place, "exec"), self.names)

    def stop(self) -> None:
        """End what was started."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=BLOCK_SECONDS)


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once a process listens; fail when it has ended, or at the limit."""
    for _ in range(BLOCK_SECONDS * 10):
        assert process.poll() is None, f"it ended with {process.returncode}"
        try:
            # Hung up at once: a receiver that serves one after another would wait for it.
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
        else:
            return
    pytest.fail(f"nothing listens on port {port}")


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Someone in an empty folder; what they start is ended."""
    someone = Reader(tmp_path)
    yield someone
    someone.stop()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_what_a_page_says_can_be_done(
    page: Path, reader: Reader, request: pytest.FixtureRequest
) -> None:
    if POSTGRES in page.read_text():
        reader.database = request.getfixturevalue("postgres_url")
    for block in blocks_of(page.read_text(), page.name):
        reader.do(block)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_what_a_program_asks_of_the_environment_its_page_has_put_there(page: Path) -> None:
    """The test's own environment has it all; a reader's has what the page says."""
    there: set[str] = set()
    blocks = [*blocks_of(page.read_text(), page.name)]
    for block in blocks if any(block.marker == "run: background" for block in blocks) else ():
        if block.language == "bash":
            there |= set(re.findall(r"^export (\w+)=", block.text, re.MULTILINE))
        else:
            assert set(re.findall(r'environ\["(\w+)"\]', block.text)) <= there, block.place


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_what_is_no_file_can_be_pasted_into_an_interpreter(page: Path) -> None:
    """Which wants an empty line after what is indented, before the next statement begins."""
    for block in blocks_of(page.read_text(), page.name):
        if block.language == "python" and not block.marker:
            pending: list[str] = []
            for line in [*block.text.splitlines(), ""]:
                pending.append(line)
                if compile_command("\n".join(pending), block.place, "single"):
                    pending = []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links_of(page.read_text()):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in headings_of(target.read_text()), link


def test_every_test_that_a_page_names_is_there() -> None:
    sources = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "src").rglob("*.py")]
    defined = set(re.findall(r"def (test_\w+)", "".join(path.read_text() for path in sources)))
    named = set(re.findall(r"`(test_\w+)`", "".join(page.read_text() for page in PAGES)))
    assert named
    assert named - defined == set()


@pytest.mark.parametrize("room", ["domain", "engine"])
def test_the_architecture_says_what_each_file_of_rules_is_for(room: str) -> None:
    named = links_of((ROOT / "ARCHITECTURE.md").read_text())
    files = (path.relative_to(ROOT) for path in (ROOT / "src" / "tidings" / room).glob("[!_]*.py"))
    assert [file for file in map(str, sorted(files)) if file not in named] == []


def test_every_rule_that_the_code_cites_stands_on_a_page() -> None:
    code = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    cited = re.findall(r"\b(?:mechanics|contract)((?:[\s,]|and|to|or|[A-Z]\d|\d\.\d)+)", code)
    names = set(re.findall(r"[A-Z]\d|[1-3]\.\d", " ".join(cited)))
    assert {"L2", "1.5", "2.6"} <= names
    pages = "\n".join(page.read_text() for page in PAGES)
    stand = set(re.findall(r"^\*\*([A-Z]\d)\.|^#.*?\b(\d\.\d)\b", pages, re.MULTILINE))
    assert names - {rule or section for rule, section in stand} == set()


def tables() -> ModuleType:
    """Return docs/tables.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_tables_are_the_codes() -> None:
    """Where this fails, run `make reference`."""
    made = tables()
    texts = {page.name: page.read_text() for page in PAGES}
    stale = [name for name, text in texts.items() if made.filled(text) != text]
    assert stale == []
    shown = set(re.findall(r"<!-- table: (\w+) -->", "".join(texts.values())))
    assert shown == set(made.TABLES)


def test_every_constant_in_a_table_has_its_sentence() -> None:
    made = tables()
    for text in (made.log_events(), made.bounds()):
        assert [row for row in text.splitlines() if row.endswith("|  |")] == []


def test_every_log_event_is_written_somewhere() -> None:
    there = {name for name in vars(telemetry) if name.isupper()}
    assert there == set(tables().levels())


def test_every_alarm_is_on_the_page_that_says_what_to_do() -> None:
    alarms = [name for name, levels in tables().levels().items() if levels - {"info"}]
    page = (ROOT / "docs" / "howto" / "act-on-an-alarm.md").read_text()
    assert len(alarms) > 5
    assert [name for name in alarms if f"`{getattr(telemetry, name)}`" not in page] == []


def test_what_the_page_of_alarms_quotes_is_what_the_code_says() -> None:
    page = (ROOT / "docs" / "howto" / "act-on-an-alarm.md").read_text()
    code = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    said = re.sub(r'"\s*\n\s*f?"', "", code)
    quoted = re.findall(r'"([^"]+)"', page)
    assert len(quoted) > 10
    assert [words for words in quoted if words not in said] == []


def test_every_dependency_is_reasoned_on_the_page_of_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = itertools.chain(*project["optional-dependencies"].values())
    named = {re.split(r"[^\w-]", one)[0] for one in [*project["dependencies"], *extras]}
    page = (ROOT / "docs" / "decisions" / "0020-dependencies.md").read_text().lower()
    assert [name for name in sorted(named) if not re.search(rf"\b{name}\b", page)] == []


def test_the_tree_of_errors_is_drawn_as_it_stands() -> None:
    branch = [errors.TidingsError.__name__]
    drawn: set[tuple[str, str]] = set()
    for bars, names in re.findall(
        r"^    ([│ ]*)[├└]── (\w+(?:, \w+)*)", errors.__doc__ or "", re.M
    ):
        branch[len(bars) // 4 + 1 :] = names.split(", ")
        drawn |= {(name, branch[len(bars) // 4]) for name in names.split(", ")}
    code = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    classes = re.findall(r"^class (\w+)\((\w+)\)", code, re.MULTILINE)
    stands: set[tuple[str, str]] = set()
    parents = {errors.TidingsError.__name__}
    while parents:
        grown = {(name, parent) for name, parent in classes if parent in parents}
        stands |= grown
        parents = {name for name, _ in grown}
    assert drawn == stands


def test_every_page_is_reachable_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            links = (link.partition("#")[0] for link in links_of(page.read_text()))
            waiting += [page.parent / link for link in links if link]
    assert [page for page in PAGES if page not in seen] == []


def test_a_block_that_fails_fails_its_page(reader: Reader) -> None:
    with pytest.raises(AssertionError):
        reader.do(Block("here", "bash", "", "false\ntrue"))
    with pytest.raises(ZeroDivisionError):
        reader.do(Block("here", "python", "", "1 / 0"))
    with pytest.raises(pytest.fail.Exception):
        reader.do(Block("here", "ruby", "", "puts 1"))
    reader.do(Block("here", "bash", "", """x=1; echo '{"a": [{"b": 1}]}'"""))
    reader.do(Block("here", "json", "answer", '{"a": [{"b": 2}]}'))
    with pytest.raises(AssertionError):
        reader.do(Block("here", "json", "answer", '{"a": [{"c": 2}]}'))
    reader.do(Block("here", "bash", "", 'test "$x" = 1'))
