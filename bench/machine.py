"""On what a run was made: a number without its machine says nothing."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import apsw
import msgspec
import pycurl

_LIBRARIES = ("tidings", "apsw", "msgspec", "asyncpg", "pycurl", "uvicorn", "uvloop", "httptools")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine, its load before the run, and the versions."""

    began_at: datetime
    cores: int
    processor: str
    kernel: str
    load: float
    """The load average of the last minute, before the run: on quiet machines below 0.5."""
    commit: str
    versions: dict[str, str]

    @property
    def sentence(self) -> str:
        """The most important of it, on one line."""
        return (
            f"{self.began_at:%Y-%m-%d %H:%M} UTC, {self.processor}, {self.cores} cores, "
            f"load {self.load:.2f} before, Python {self.versions['python']}, commit {self.commit}"
        )


def this_machine(now: datetime) -> Machine:
    """Describe the machine as it is at `now`."""
    versions = {name: version(name) for name in _LIBRARIES}
    versions["python"] = platform.python_version()
    versions["sqlite"] = apsw.sqlite_lib_version()
    versions["libcurl"] = re.sub(r".*libcurl/(\S+).*", r"\1", pycurl.version)
    return Machine(
        began_at=now,
        cores=len(os.sched_getaffinity(0)),
        processor=_processor(),
        kernel=platform.release(),
        load=os.getloadavg()[0],
        commit=_commit(),
        versions=versions,
    )


def _processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"
    done = subprocess.run(  # noqa: S603 - a fixed question
        [git, "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"
