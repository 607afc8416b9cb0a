"""The demo's second receiver, a process: `python -m tidings.demo.sheet_receiver <orders.json>`.

Ten lines of a consumer: a `tidings.receiver.Receiver`, and a function for its events. It can be
killed at any moment.
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import msgspec
import uvicorn

from tidings.demo.sheet import Told
from tidings.demo.sheet_ledger import SheetLedger, handle
from tidings.receiver import ReceivedEvent, Receiver


class SheetOrders(msgspec.Struct, frozen=True):
    """What it must know."""

    port: int
    inbox: str
    """The file of its inbox, and of what it handled."""
    secret: str


def receiver_of(orders: SheetOrders) -> Receiver:
    """Return the receiver; it notes each event in its inbox's own transaction."""
    receiver = Receiver(secrets=orders.secret, inbox=f"sqlite:///{orders.inbox}")

    @receiver.on()
    def take(event: ReceivedEvent, database: sqlite3.Connection) -> None:
        row = event.id if event.object_type == "row" else event.row_id
        column = None if event.column_id is None else int(event.column_id)
        handle(Told(event.object_type, event.event_type, int(row or 0), column), database)

    return receiver


def main() -> None:
    """Receive by the orders until it is stopped or killed."""
    orders = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=SheetOrders)
    SheetLedger(Path(orders.inbox)).create()
    uvicorn.run(receiver_of(orders), host="127.0.0.1", port=orders.port, log_level="warning")


if __name__ == "__main__":
    main()
