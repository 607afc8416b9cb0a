"""Names of log events, as a documented contract, and the one way to write them.

A line names ids, positions, counts and errors; never a body, a secret, a key or a field's value.
"""

from __future__ import annotations

from typing import Final

import structlog

SERVER_STARTED: Final = "server.started"
"""Connections are accepted from here on."""
SERVER_DRAINING: Final = "server.draining"
"""It was told to stop: what is open is answered, nothing new is taken."""
PROCESS_ENDED: Final = "process.ended"
"""A worker of `tidings serve --workers` died; it is started again after a pause."""
SERVER_STOPPED: Final = "server.stopped"
"""Everything is written down and closed."""
REQUEST_FAILED: Final = "request.failed"
"""A fault of ours while a request was answered; the client saw `internal` and no more."""
KEY_PENALIZED: Final = "key.penalized"
"""A key asked the webhook service more often than it may; all it asks is refused for a while."""
WORKER_FAILED: Final = "worker.failed"
"""One round of a worker raised; it goes on after a pause."""
ATTEMPT_FAILED: Final = "attempt.failed"
"""A notification wasn't acknowledged; it is owed and will be tried again."""
NOTIFICATIONS_DISABLED: Final = "notifications.disabled"
"""An endpoint acknowledged nothing for a day, or said 410: it is pinged no more, events collect."""
CHALLENGE_FAILED: Final = "challenge.failed"
"""An endpoint didn't show that it wants a webhook's callbacks; its owner sees the same `ref_id`."""
CALLBACK_EXPIRED: Final = "callback.expired"
"""Retention dropped events that a callback webhook was still owed: it goes on behind them."""
SCOPE_MOVED: Final = "webhook.scope_moved"
"""A callback webhook's sheet was deleted, or came back: it is disabled, or enabled again."""
ATTEMPTS_DROPPED: Final = "attempts.dropped"
"""The log of attempts couldn't keep up; nothing else is lost by that."""
LEASE_LOST: Final = "lease.lost"
"""Another holder took these buckets; this one's transfers were aborted."""
WATCHER_FAILED: Final = "watcher.failed"
"""A watcher of the log raised; the append it was told of is committed all the same."""
RETENTION_DROPPED: Final = "retention.dropped"
"""So many rows were over their time and are deleted; not `finished` where a round's time was."""

WEBHOOK_WARNED: Final = "webhook.warned"
"""Nobody lists its events: in a day it expires, or it is deleted."""
WEBHOOK_EXPIRED: Final = "webhook.expired"
"""Nobody listed its events for 7 days: its notifications are off."""
WEBHOOK_DELETED: Final = "webhook.deleted"
"""Nobody listed its events for 14 days: it is gone, with its view of the log."""
WEBHOOK_REVIVED: Final = "webhook.revived"
"""Its events were listed after it was warned of or expired: its 7 days begin anew."""
SWEEP_PAUSED: Final = "sweep.paused"
"""Nobody swept for over 10 minutes, or the clock jumped: that time is added to every limit."""
DAYS_MISSING: Final = "days.missing"
"""Fewer of the coming days have their partitions than should: no sweeper has attached any."""
CLOCK_AHEAD: Final = "clock.ahead"
"""The clock has jumped over an hour ahead: nothing is published or swept until it is set right."""


def logger() -> structlog.typing.FilteringBoundLogger:
    """Return the process's structured logger."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger("tidings")
    return bound
