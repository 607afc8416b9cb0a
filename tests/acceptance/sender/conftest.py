"""The sender against a real endpoint over real sockets, on both event loops."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import pytest

from tests.acceptance.sender.sending import CERTIFICATES, DEV
from tidings.clock import SystemClock
from tidings.sender import CurlSender
from tidings.testing.endpoint import ScriptedEndpoint


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def endpoint() -> AsyncIterator[ScriptedEndpoint]:
    async with ScriptedEndpoint() as listening:
        yield listening


@pytest.fixture
async def sender() -> AsyncIterator[CurlSender]:
    opened = CurlSender(DEV, SystemClock())
    yield opened
    await opened.close()


@pytest.fixture
async def tls_endpoint() -> AsyncIterator[ScriptedEndpoint]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "endpoint.pem")
    async with ScriptedEndpoint(tls=context) as listening:
        yield listening
