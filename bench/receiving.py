"""A receiver of callbacks as uvicorn runs it (`python -m bench.receiving <database>`)."""

from __future__ import annotations

import sys

from starlette.types import ASGIApp

from bench.bare.server import serve
from bench.callbacks import SECRET
from tidings.receiver import Receiver


async def _app() -> ASGIApp:
    """Handlers are another process's: `work=False` is how that is said."""
    receiver = Receiver(secrets=SECRET, inbox=f"sqlite:///{sys.argv[1]}", work=False)
    await receiver.open()
    return receiver


if __name__ == "__main__":
    serve(_app)
