"""The sockets of a server: bound once, and accepted from by each of its processes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from tidings.cli.http_server import bound
from tidings.config import Settings
from tidings.domain.server_role import ServerRole


class Sockets(NamedTuple):
    """What a server listens on; None where it doesn't."""

    api: socket.socket | None
    health: socket.socket | None


@contextmanager
def bound_sockets(settings: Settings) -> Iterator[Sockets]:
    """Bind what the settings name, without listening yet. Raises FailedPrecondition."""
    with ExitStack() as stack:
        api = health = None
        if ServerRole.API in settings.server_roles:
            api = stack.enter_context(bound(settings.host, settings.port))
        if settings.health_port is not None:
            health = stack.enter_context(
                bound(settings.host, settings.health_port, setting="health_port")
            )
        yield Sockets(api, health)
