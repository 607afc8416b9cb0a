"""The demo's processes: started, killed, started again, and in the end all stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tidings.clock import SystemClock
from tidings.config import ENV_PREFIX
from tidings.errors import FailedPrecondition

READY_SECONDS = 20.0
STOP_SECONDS = 30.0
"""What `serve` promises for SIGTERM; after it SIGKILL."""
_LOOK_SECONDS = 0.02
_LISTENING = "listening on "


def wait_until(
    condition: Callable[[], bool], seconds: float, clock: SystemClock, otherwise: str
) -> None:
    """Return once the condition holds; after `seconds` raise FailedPrecondition(`otherwise`)."""
    end = clock.monotonic() + seconds
    while not condition():
        if clock.monotonic() > end:
            raise FailedPrecondition(otherwise)
        clock.pause(_LOOK_SECONDS)


def free_port() -> int:
    """Return a port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run_tidings(*arguments: str, folder: Path) -> str:
    """Run a `tidings` command to its end and return its output. Raises FailedPrecondition."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "tidings", *arguments],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=READY_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise FailedPrecondition(done.stderr.strip())
    return done.stdout.strip()


class Child:
    """A process that we start, kill and start again; its output goes to a file.

    It has a session of its own, so that Ctrl-C reaches us alone, and we stop it in order.
    """

    def __init__(self, name: str, folder: Path, clock: SystemClock) -> None:
        self.starts = 0
        self._name = name
        self._folder = folder
        self._log = folder / f"{name}.log"
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, module: str, arguments: Sequence[str]) -> None:
        """Start it, without waiting until it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", module, *arguments],
                cwd=self._folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.starts += 1

    @property
    def pid(self) -> int:
        """The process's number. Raises FailedPrecondition where it isn't running."""
        if self._process is None:
            raise FailedPrecondition(f"The {self._name} isn't running.")
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL: it gets no chance to end in order."""
        self._end(signal.SIGKILL)

    def stop(self) -> int | None:
        """SIGTERM, and SIGKILL if that isn't heeded; return the exit code, None if not running."""
        return self._end(signal.SIGTERM)

    def wait_until_ready(self, ready: Callable[[], bool]) -> None:
        """Return once `ready` holds; raises FailedPrecondition with its output if it ended."""

        def ready_or_dead() -> bool:
            return ready() or self._process is None or self._process.poll() is not None

        otherwise = f"The {self._name} isn't ready after {READY_SECONDS:g} s."
        wait_until(ready_or_dead, READY_SECONDS, self._clock, otherwise)
        if not ready():
            raise FailedPrecondition(f"The {self._name} ended: {self.output().strip()[-2000:]}")

    def output(self) -> str:
        """Return what it wrote so far, in all its lives."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _end(self, how: signal.Signals) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return process.returncode


class ServerProcess:
    """A real `tidings serve --dev`; it keeps the port that it was given first."""

    def __init__(
        self, database: str, folder: Path, clock: SystemClock, *more_arguments: str
    ) -> None:
        self.url = ""
        self._more_arguments = more_arguments
        self._child = Child("server", folder, clock)
        self._database = database
        self._port = 0

    @property
    def starts(self) -> int:
        """How often it was started."""
        return self._child.starts

    def start(self) -> None:
        """Start it, without waiting until it listens."""
        arguments = ["serve", "--dev", "--database", self._database, "--port", str(self._port)]
        arguments += ["--log-format", "json", *self._more_arguments]
        self._child.start("tidings", arguments)

    def wait_until_ready(self) -> None:
        """Return once it listens, in this life; `url` says where."""
        self._child.wait_until_ready(lambda: self._lines_listening() >= self.starts)
        self.url = self._child.output().rpartition(_LISTENING)[2].split()[0]
        self._port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """SIGKILL."""
        self._child.kill()

    def stop(self) -> int | None:
        """SIGTERM: it drains; return its exit code."""
        return self._child.stop()

    def output(self) -> str:
        """Return its log lines, of all its lives."""
        return self._child.output()

    def _lines_listening(self) -> int:
        return self._child.output().count(_LISTENING)


class ReceiverProcess:
    """A real receiver; its orders are a file that only we can read."""

    def __init__(
        self,
        port: int,
        folder: Path,
        clock: SystemClock,
        module: str = "tidings.demo.receiver",
    ) -> None:
        self.orders = folder / "orders.json"
        self.port = port
        self._module = module
        self._child = Child("receiver", folder, clock)

    @property
    def starts(self) -> int:
        """How often it was started."""
        return self._child.starts

    def give_orders(self, orders: bytes) -> None:
        """Write what it must know."""
        descriptor = os.open(self.orders, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orders)

    def start(self) -> None:
        """Start it, without waiting until it listens."""
        self._child.start(self._module, [str(self.orders)])

    def wait_until_ready(self) -> None:
        """Return once it takes connections."""
        self._child.wait_until_ready(self._listens)

    def kill(self) -> None:
        """SIGKILL."""
        self._child.kill()

    def stop(self) -> None:
        """End it; it has nothing to put in order."""
        self._child.stop()

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
            return True
        return False


def _environment() -> dict[str, str]:
    """Return our environment without settings of Tidings: the demo's own are flags."""
    return {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
