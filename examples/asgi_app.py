"""Callbacks on any ASGI server: `uvicorn --app-dir examples asgi_app:receiver --port 8000`."""

from __future__ import annotations

import os
import sqlite3

from tidings.receiver import ReceivedEvent, Receiver

receiver = Receiver(secrets=os.environ["WEBHOOK_SECRET"], inbox="sqlite:///inbox.db")


@receiver.on("row", "created")
def note(event: ReceivedEvent, db: sqlite3.Connection) -> None:
    """Note a new row, in the inbox's own transaction: so it is noted exactly once."""
    db.execute("CREATE TABLE IF NOT EXISTS note (row_id INTEGER, nonce TEXT)")
    db.execute("INSERT INTO note VALUES (?, ?)", (event.id, event.message_id))
