"""Gunicorn's settings for flask_app.py.

`gunicorn --chdir examples --config gunicorn_settings.py flask_app:app`. Each process works from its
start to its end; without the two hooks it begins with its first request, and another takes over
some seconds after its end.
"""

from __future__ import annotations

import os

bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = 2
certfile = os.environ.get("TLS_CERT")
keyfile = os.environ.get("TLS_KEY")


def post_worker_init(worker: object) -> None:
    """Handle at once what was kept before the last stop."""
    from flask_app import receiver

    receiver.start()


def worker_exit(server: object, worker: object) -> None:
    """Let another process take over at once."""
    from flask_app import receiver

    receiver.stop()
