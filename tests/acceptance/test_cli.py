"""The command line: what each verb does, and what it refuses.

Most run within the test's process, for the start of one takes half a second: real ones are run here
where it matters, and by every page of the documentation.
"""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.processes import COMMAND_SECONDS, RunningServer, run_command


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("cli"), database=database) as running:
        yield running


@pytest.fixture(scope="module")
def key(server: RunningServer) -> str:
    return server.make_key("admin")


def lines(numbers: Sequence[int]) -> bytes:
    """Return NDJSON of a record for each number."""
    return b"".join(
        b'{"kind":"RECORD_CREATED","application_id":"t","record_id":"%d","data":{}}\n' % number
        for number in numbers
    )


def done(result: subprocess.CompletedProcess[bytes]) -> bytes:
    """Return the standard output of a command that must have succeeded."""
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout


def refused(result: subprocess.CompletedProcess[bytes], code: int = 1) -> str:
    """Return the sentence of a command that must have been refused: one, and no trace."""
    sentence = result.stderr.decode()
    assert result.returncode == code, sentence
    assert "Traceback" not in sentence
    return sentence


def parsed(result: subprocess.CompletedProcess[bytes]) -> Any:
    """Return what a command printed with --json."""
    return json.loads(done(result))


def create_webhook(server: RunningServer, key: str, solution: str, *more: str) -> str:
    """Make a webhook through the command line and return its id."""
    made = parsed(server.run_here("webhooks", "create", "--solution", solution, *more, key=key))
    webhook_id: str = made["webhook_id"]
    return webhook_id


def test_keys_create_prints_the_key_alone(tmp_path: Path) -> None:
    made = run_command(
        "keys", "create", "--account", "a", "--name", "n", "--role", "admin", folder=tmp_path
    )
    assert done(made).decode().strip().startswith("tdg_")
    assert made.stdout.count(b"\n") == 1
    database = tmp_path / "tidings.db"
    assert str(database).encode() in made.stderr, "a key made in another folder opens nothing"
    assert database.stat().st_mode & 0o077 == 0, "it holds secrets"
    assert made.stdout.strip() not in database.read_bytes(), "the key itself is never stored"


def test_keys_are_listed_and_revoked(server: RunningServer) -> None:
    server.make_key("publisher", account="listed")
    (found,) = parsed(server.run_here("keys", "list", "--account", "listed", "--json"))
    assert (found["account"], found["role"], found["revoked_at"]) == ("listed", "publisher", None)
    assert found["key_id"].encode() in done(server.run_here("keys", "list"))
    done(server.run_here("keys", "revoke", found["key_id"]))
    (revoked,) = parsed(server.run_here("keys", "list", "--account", "listed", "--json"))
    assert revoked["revoked_at"] is not None
    assert "No living key" in refused(server.run_here("keys", "revoke", found["key_id"]))


def test_a_second_key_of_one_name_is_refused(server: RunningServer) -> None:
    wish = ("keys", "create", "--account", "twice", "--name", "n", "--role", "admin")
    done(server.run_here(*wish))
    refused(server.run_here(*wish))


def test_a_webhook_is_made_listed_shown_changed_and_deleted(
    server: RunningServer, key: str
) -> None:
    made = parsed(
        server.run_here(
            *("webhooks", "create", "--solution", "crm", "--application", "deals"),
            *("--field", "stage", "--endpoint", "http://127.0.0.1:9/hook"),
            key=key,
        )
    )
    webhook_id = made["webhook_id"]
    assert made["signing_secret"].startswith("whsec_")
    wanted = {"application": {"application_id": "deals", "field_ids": ["stage"]}}
    assert made["filter"] == wanted
    (listed,) = parsed(server.run_here("webhooks", "list", "--solution", "crm", "--json", key=key))
    shown = parsed(server.run_here("webhooks", "show", webhook_id, "--json", key=key))
    assert listed == shown
    assert "signing_secret" not in shown
    told = done(server.run_here("webhooks", "show", webhook_id, key=key))
    assert b"deals: stage" in told
    assert shown["system_status"]["enabled"]["expires_at"].encode() in told
    off = parsed(server.run_here("webhooks", "update", webhook_id, "--disable", key=key))
    assert off["notification_status"] == {"disabled": {}}
    wide = parsed(
        server.run_here("webhooks", "update", webhook_id, "--whole-solution", "--enable", key=key)
    )
    assert wide["filter"] == {"solution": {}}
    assert wide["notification_status"] == {"enabled": {"url": "http://127.0.0.1:9/hook"}}
    done(server.run_here("webhooks", "delete", webhook_id, key=key))
    refused(server.run_here("webhooks", "show", webhook_id, key=key))


def test_what_the_server_refuses_is_a_sentence_and_exit_code_1(
    server: RunningServer, key: str
) -> None:
    wish = ("webhooks", "create", "--solution", "s")
    assert "webhook.kinds" in refused(server.run_here(*wish, "--kind", "RECORD_BENT", key=key))
    assert "webhook" in refused(server.run_here("events", "list", "no-such-webhook", key=key))


def test_a_key_of_the_wrong_role_is_told_which_it_needs(server: RunningServer) -> None:
    publisher = server.make_key("publisher")
    assert "subscriber" in refused(server.run_here("webhooks", "list", key=publisher))
    assert "TIDINGS_KEY" in refused(server.run_here("webhooks", "list", key="tdg_wrong"))


def test_a_file_is_published_once_however_often_it_is_sent(server: RunningServer, key: str) -> None:
    webhook_id = create_webhook(server, key, "files")
    file = server.folder / "changes.ndjson"
    file.write_bytes(lines(range(2_500)))
    packed = server.folder / "changes.ndjson.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    wish = ("--solution", "files", "--json")
    receipts = [
        parsed(server.run_here("publish", str(file), *wish, key=key)),
        parsed(server.run_here("publish", str(file), "--gzip", *wish, key=key)),
        parsed(server.run_here("publish", str(packed), *wish, key=key)),
        parsed(server.run_here("publish", "-", *wish, key=key, given=file.read_bytes())),
    ]
    assert all(receipt == receipts[0] for receipt in receipts)
    assert (receipts[0]["accepted"], receipts[0]["lines"]) == (2_500, 2_500)
    listed = done(
        server.run_here("events", "list", webhook_id, "--limit", "9999", "--json", key=key)
    )
    records = [json.loads(line)["record_event_data"]["record_id"] for line in listed.splitlines()]
    assert records == [str(number) for number in range(2_500)]


def test_a_bad_line_is_named_and_the_mended_file_goes_on_from_there(
    server: RunningServer, key: str
) -> None:
    webhook_id = create_webhook(server, key, "mended")
    file = server.folder / "mended.ndjson"
    good, rest = lines(range(1_500)), lines(range(1_500, 1_600))
    file.write_bytes(good + b'{"kind": "RECORD_BENT"}\n' + rest)
    sentence = refused(server.run_here("publish", str(file), "--solution", "mended", key=key))
    assert "Line 1501" in sentence
    file.write_bytes(good + rest)
    # The command that it tells to run, as it stands.
    command = sentence.strip().rpartition("go on with: tidings ")[2].split(" ")
    assert command[0] == "publish"
    done(server.run_here(*command, key=key))
    listed = done(
        server.run_here("events", "list", webhook_id, "--limit", "9999", "--json", key=key)
    )
    records = [json.loads(line)["record_event_data"]["record_id"] for line in listed.splitlines()]
    assert records == [str(number) for number in range(1_600)]


def test_events_are_listed_and_go_on_from_a_token(server: RunningServer, key: str) -> None:
    webhook_id = create_webhook(server, key, "paged")
    done(server.run_here("publish", "-", "--solution", "paged", key=key, given=lines(range(5))))
    first = server.run_here("events", "list", webhook_id, "--limit", "3", key=key)
    assert done(first).count(b"RECORD_CREATED") == 3
    token = first.stderr.decode().split()[-1]
    rest = server.run_here("events", "list", webhook_id, "--page-token", token, "--json", key=key)
    assert [
        json.loads(line)["record_event_data"]["record_id"] for line in done(rest).splitlines()
    ] == [
        "3",
        "4",
    ]


# A test run in the background ignores Ctrl-C, and so would what it starts.
HEEDS_CTRL_C = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from tidings.cli import main; main()"
)


def test_events_are_followed_as_they_come_until_ctrl_c(server: RunningServer, key: str) -> None:
    webhook_id = create_webhook(server, key, "followed")
    with subprocess.Popen(
        [sys.executable, "-c", HEEDS_CTRL_C, "events", "follow", webhook_id, "--json"],
        env={"TIDINGS_URL": server.url, "TIDINGS_KEY": key, "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as following:
        assert following.stdout is not None
        bound = threading.Timer(COMMAND_SECONDS, following.kill)
        bound.start()
        try:
            done(
                server.run_here("publish", "-", "--solution", "followed", key=key, given=lines([7]))
            )
            event = json.loads(following.stdout.readline())
            following.send_signal(signal.SIGINT)
            _, said = following.communicate()
        finally:
            bound.cancel()
            following.kill()
    assert event["record_event_data"]["record_id"] == "7"
    assert following.returncode == 0
    assert b"Traceback" not in said


FSYNC = "fsync is off: a crash can lose what was answered with success."
"""What doctor has to find where the tests' own PostgreSQL is looked at."""


def test_doctor_finds_nothing_wrong_with_a_running_installation(
    server: RunningServer, kind: str
) -> None:
    done = server.run("doctor", "--json")
    problems = [one["sentence"] for one in json.loads(done.stdout) if one["level"] == "problem"]
    expected = {"sqlite": (0, []), "postgresql": (1, [FSYNC])}
    assert (done.returncode, problems) == expected[kind]
    assert (b"A server is running" in done.stdout) == (kind == "sqlite"), "PostgreSQL may have many"
