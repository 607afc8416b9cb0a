"""What a server process does (contract 3.3)."""

from __future__ import annotations

from enum import StrEnum


class ServerRole(StrEnum):
    """One part of the work; a process may have any of them."""

    API = "api"
    """Answers requests."""
    DISPATCHER = "dispatcher"
    """Sends pings and callbacks, for its share of the buckets."""
    SWEEPER = "sweeper"
    """Lets webhooks expire and drops what is over its time; of many, one does so at a time."""


EVERY_ROLE = frozenset(ServerRole)
