"""One key at two real processes on one database (decision 0031)."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.acceptance.reconciling import CLOCK
from tests.acceptance.role_processes import RoleProcess
from tidings.api.smartsuite import PREFIX
from tidings.domain.key import Role
from tidings.domain.limits import REQUESTS_PER_SECOND
from tidings.domain.server_role import ServerRole
from tidings.testing.keys import make_key


@pytest.mark.only_on("postgresql", "a SQLite file is served by one process")
def test_one_key_has_its_limit_over_all_processes_and_its_penalty_too(
    own_database: str, tmp_path: Path
) -> None:
    """First what neither of two would refuse alone: nearly five a second at each.

    Then too many at once at one of them: the other hears of the penalty. Stated are half a second
    and what the database takes; here is room for a machine that has other work.
    """
    spread, loud = (
        make_key(own_database, account="acme", name=name, role=Role.ADMIN)
        for name in ("spread", "loud")
    )
    options = ("--requests-per-second", str(REQUESTS_PER_SECOND))
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                RoleProcess(own_database, tmp_path, name, ServerRole.API, options=options)
            )
            for name in ("one", "two")
        ]
        for process in processes:
            process.wait_until_ready()
        one, two = (
            stack.enter_context(httpx.Client(base_url=process.url, trust_env=False))
            for process in processes
        )
        admitted, began = 0, CLOCK.monotonic()
        while (seconds := CLOCK.monotonic() - began) < 2.7:
            admitted += ask(one, spread).is_success + ask(two, spread).is_success
            CLOCK.pause(0.2)
        assert admitted <= REQUESTS_PER_SECOND * (int(seconds) + 1) + REQUESTS_PER_SECOND

        assert any(ask(one, loud).status_code == 429 for _ in range(100))
        began = CLOCK.monotonic()
        while (answer := ask(two, loud)).is_success:
            assert CLOCK.monotonic() - began < 2
            CLOCK.pause(0.25)
        passed = CLOCK.monotonic() - began
        assert 30 - passed - 1 < int(answer.headers["retry-after"]) <= 30


def ask(client: httpx.Client, key: str) -> httpx.Response:
    return client.post(f"{PREFIX}ListWebhooks", headers={"Authorization": f"Token {key}"}, json={})
