"""The command line without a server: help, wrong uses, and refusals in sentences."""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import pytest

from tidings.cli import main
from tidings.cli.verbs import VERBS
from tidings.client import Client, Locator, Webhook
from tidings.listener.record import RecordFile, recorded

KEY = {"TIDINGS_KEY": "tdg_x"}
DAMAGED = b"not a database, and long enough to be read as one " * 99
TORN = b"SQLite format 3\0" + b"\xff" * 8_000

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `tidings` in a folder of its own; return exit code, output and standard error."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TIDINGS_")]:
        monkeypatch.delenv(name)
    # What commands make is their owner's alone; the tests that follow keep their own umask.
    monkeypatch.setattr(os, "umask", lambda mask: 0)

    def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tidings", *arguments])
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


@pytest.mark.parametrize("verb", VERBS)
def test_help_teaches_each_verb_by_an_example_or_its_commands(run: Run, verb: str) -> None:
    code, text, _ = run(verb, "--help")
    assert code == 0
    assert f"Usage: tidings {verb}" in text
    assert "$ tidings" in text or "Commands" in text


def test_a_verb_waits_for_no_part_of_another(tmp_path: Path) -> None:
    """Each loads what it needs: the server no client, and whoever works on the database neither."""
    asked = (
        "import atexit, sys; from tidings.cli import main; "
        "atexit.register(lambda: print(*sys.modules)); sys.argv[0] = 'tidings'; main()"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", asked, "migrate", "--check"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        timeout=20,
    ).stdout.split()
    assert b"tidings.storage" in loaded
    others = (b"httpx", b"tidings.client", b"uvicorn", b"tidings.listener", b"tidings.demo")
    assert [one for one in others if one in loaded] == []


def test_help_names_each_setting_s_variable_and_default(run: Run) -> None:
    text = " ".join(run("serve", "--help")[1].replace("│", " ").split())
    assert "--port" in text
    assert "(TIDINGS_PORT; default: 8080)" in text


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["publish"], {}, "Missing argument"),
        (["no-such-verb"], {}, "No such command"),
        (["serve", "--port", "70000"], {}, "tidings: --port is wrong"),
        (["serve"], {"TIDINGS_PORT": "x"}, "tidings: TIDINGS_PORT is wrong"),
        (["serve"], {"TIDINGS_LOG_LEVEL": "loud"}, "TIDINGS_LOG_LEVEL is wrong"),
        (["migrate"], {"TIDINGS_DATABASE": "oracle://x"}, "sqlite:///"),
        (["webhooks", "list"], {}, "TIDINGS_KEY"),
        (["webhooks", "list", "--url", "ftp://x", "--key", "k"], {}, "--url is wrong"),
        (["webhooks", "create", "--solution", "s", "--field", "f"], KEY, "exactly one"),
        (["webhooks", "update", "any"], {}, "say what to change"),
        (["webhooks", "disable", "7"], {}, "say --administrative"),
        (["webhooks", "enable", "3c8a1835-a39a"], {}, "NUMBER"),
        (["keys", "create", "--account", "", "--name", "n", "--role", "admin"], {}, "--account"),
        (["listen"], {}, "--no-secret"),
        (["listen", "--secret", "x", "--no-secret"], {}, "--no-secret"),
        (["listen", "--port", "9000", "--no-secret"], {}, "443, 8000, 8008, 8080, 8443"),
        (["listen", "--no-secret", "--cert", "c"], {}, "--cert and --key"),
        (["listen", "--secret", "whsec_!"], {}, "base64"),
        (["listen", "--pull", "w", "--record", "r"], KEY, "--page-token"),
        (["listen", "--no-secret", "--forward", "nowhere"], {}, "--forward"),
        (["replay", "r", "--to", "ftp://x"], {}, "--to"),
        (["listen", "--pull", "w"], {}, "TIDINGS_KEY"),
        (["listen", "--no-secret", "--page-token", "1"], {}, "--pull"),
    ],
)
def test_a_wrong_use_is_a_sentence_and_exit_code_2(
    run: Run, arguments: list[str], environment: dict[str, str], words: str
) -> None:
    code, output, sentence = run(*arguments, **environment)
    assert (code, output) == (2, "")
    assert words in sentence


def test_a_wrong_key_is_never_repeated_in_an_error(run: Run) -> None:
    _, _, sentence = run("webhooks", "list", TIDINGS_URL="nowhere", TIDINGS_KEY="tdg_secret")
    assert "TIDINGS_URL" in sentence
    assert "tdg_secret" not in sentence


@pytest.mark.parametrize("content", [DAMAGED, TORN], ids=["foreign", "torn"])
@pytest.mark.parametrize(
    "arguments", [["keys", "list"], ["migrate"], ["serve", "--port", "0"], ["doctor"]]
)
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(
    run: Run, tmp_path: Path, arguments: list[str], content: bytes
) -> None:
    (tmp_path / "tidings.db").write_bytes(content)
    code, *said = run(*arguments)
    # What is wrong is what the doctor is asked for, and what hinders the others.
    told, untold = said if arguments == ["doctor"] else reversed(said)
    assert (code, untold) == (1, "")
    assert "not a database" in told
    assert (tmp_path / "tidings.db").read_bytes() == content


@pytest.mark.parametrize("name", ["missing.ndjson", "cut.gz", "."])
def test_a_file_that_can_not_be_read_is_refused(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"{}\n" * 999)[:-9])
    code, _, sentence = run("publish", name, "--solution", "s", TIDINGS_KEY="tdg_x")
    assert code == 1
    assert sentence.startswith("tidings: ")
    assert sentence.count("\n") == 1


def test_a_server_that_is_away_is_told_once_patience_is_over(run: Run) -> None:
    code, _, sentence = run(
        *("webhooks", "list", "--url", "http://127.0.0.1:9", "--patience-seconds", "0"),
        TIDINGS_KEY="tdg_x",
    )
    assert code == 1
    assert "No server answers at http://127.0.0.1:9" in sentence


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["listen", "--any-port", "--no-secret"], "can't be listened on"),
        (["serve"], "Choose another with --port"),
    ],
    ids=["listen", "serve"],
)
def test_a_port_that_is_taken_is_refused(run: Run, command: list[str], words: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, _, sentence = run(*command, "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert words in sentence


def test_a_port_that_two_parts_of_a_server_ask_for_is_refused(run: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    code, _, sentence = run("serve", "--port", port, "--health-port", port)
    assert code == 1
    assert f"tidings: http://127.0.0.1:{port} can't be listened on" in sentence


@pytest.mark.parametrize("name", ["missing.pem", os.devnull])
def test_a_server_that_could_verify_no_endpoint_does_not_start(run: Run, name: str) -> None:
    code, output, sentence = run("serve", "--port", "0", "--ca-file", name)
    assert (code, output) == (2, "")
    assert "--ca-file is wrong" in sentence
    assert name in sentence


@pytest.mark.parametrize(
    "arguments",
    [("--cert", os.devnull, "--key", os.devnull), ("--record", "/")],
)
def test_what_can_not_be_listened_with_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    port = ("--any-port", "--port", "0")
    code, output, sentence = run("listen", "--no-secret", *port, *arguments)
    assert (code, output) == (1, "")
    assert sentence.startswith("tidings: ")
    assert sentence.count("\n") == 1


def test_replay_tells_what_was_recorded_and_exits_with_1_where_nobody_takes_it(
    run: Run, tmp_path: Path
) -> None:
    with RecordFile(str(tmp_path / "record")) as record:
        record.write(recorded(datetime(2026, 11, 22, tzinfo=UTC), {}, b'{"type": "row.created"}'))
    code, output, _ = run("replay", "record")
    assert code == 0
    assert "row created" in output
    code, output, sentence = run("replay", "record", "--to", "http://127.0.0.1:9", "--json")
    assert code == 1
    assert "failure" in json.loads(output)["passed_on"]
    assert "1 of the requests" in sentence
    assert run("replay", "missing")[0] == 1


def test_migrate_says_that_the_schema_is_behind_and_mends_it(run: Run) -> None:
    code, _, sentence = run("migrate", "--check")
    assert code == 1
    assert "run `tidings migrate`" in sentence
    assert run("migrate")[0] == 0
    code, output, _ = run("migrate", "--check", "--json")
    state = json.loads(output)
    assert code == 0
    assert state["found"] == state["needed"] > 0


def test_migrate_says_that_the_schema_is_a_newer_tidingss(run: Run, tmp_path: Path) -> None:
    assert run("migrate")[0] == 0
    connection = apsw.Connection(str(tmp_path / "tidings.db"))
    connection.pragma("user_version", 99)
    connection.close()
    code, _, sentence = run("migrate", "--check")
    assert code == 1
    assert "made by a newer Tidings" in sentence


@pytest.mark.parametrize(
    "arguments", [["serve", "--port", "0"], ["keys", "list"], ["migrate", "--check"]]
)
def test_a_database_that_is_away_is_named_without_its_password(
    run: Run, arguments: list[str]
) -> None:
    url = "postgresql://me:secret@127.0.0.1:9/crm"
    code, output, sentence = run(*arguments, TIDINGS_DATABASE=url)
    assert (code, output) == (1, "")
    assert sentence.startswith("tidings: postgresql://me@127.0.0.1:9/crm can't be opened now: ")
    assert "secret" not in sentence
    code, findings, _ = run("doctor")
    assert code == 1
    assert "127.0.0.1:9/crm can't be opened now" in findings
    assert "secret" not in findings


def found_wrong(output: str) -> dict[str, Any]:
    """Return what `doctor --json` doesn't find well, by check."""
    return {one["check"]: one for one in json.loads(output) if one["level"] != "well"}


def test_doctor_finds_nothing_wrong_where_nothing_is_yet_and_changes_nothing(
    run: Run, tmp_path: Path
) -> None:
    code, output, _ = run("doctor", "--json")
    assert code == 0
    assert not [one for one in found_wrong(output).values() if one["level"] == "problem"]
    assert list(tmp_path.iterdir()) == []


def test_doctor_says_what_is_wrong_and_exits_with_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tidings.db").write_bytes(DAMAGED)
    (tmp_path / "tidings.db").chmod(0o644)
    (tmp_path / "empty.pem").touch()
    code, output, _ = run("doctor", "--json", TIDINGS_PROT="1", TIDINGS_CA_FILE="empty.pem")
    wrong = found_wrong(output)
    assert code == 1
    assert {check: one["level"] for check, one in wrong.items()} == {
        "schema": "problem",
        "tls": "problem",
        "secrecy": "warning",
        "settings": "warning",
    }
    assert "TIDINGS_PROT" in wrong["settings"]["sentence"]
    assert "PROBLEM" in run("doctor")[1]


def test_a_webhook_that_was_given_up_on_says_why_and_when_it_goes(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = Webhook(
        webhook_id="w",
        locator=Locator(account_id="acme", solution_id="crm"),
        filter={"solution": {}},
        kinds=("RECORD_CREATED",),
        notification_status={
            "disabled": {
                "reason": "DELIVERY_FAILED",
                "disabled_at": "2026-11-20T03:00:00.000Z",
                "last_error": "No connection could be made.",
            }
        },
        system_status={"disabled": {"reason": "EXPIRED", "deletes_at": "2026-12-06T03:00:00Z"}},
    )
    monkeypatch.setattr(Client, "get_webhook", lambda client, webhook_id: webhook)
    _, told, _ = run("webhooks", "show", "w", **KEY)
    assert "off (DELIVERY_FAILED)" in told
    assert "2026-11-20T03:00:00.000Z: No connection could be made." in told
    assert "deleted 2026-12-06T03:00:00Z, unless its events are listed" in told
