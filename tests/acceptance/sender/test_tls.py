"""Certificates are verified: against an authority, and for the name."""

from __future__ import annotations

import pytest

from tests.acceptance.sender.sending import (
    AUTHORITY,
    DEV,
    FixedResolver,
    send,
)
from tidings.clock import SystemClock
from tidings.sender import CurlSender
from tidings.testing.endpoint import ScriptedEndpoint

pytestmark = pytest.mark.anyio


async def test_a_certificate_that_nobody_trusts_is_refused(
    sender: CurlSender, tls_endpoint: ScriptedEndpoint
) -> None:
    outcome = await send(sender, tls_endpoint.url())
    assert outcome.status is None
    assert outcome.error is not None
    assert "certificate" in outcome.error
    assert tls_endpoint.requests == []


async def test_a_certificate_of_a_given_authority_is_accepted_for_its_own_names_only(
    tls_endpoint: ScriptedEndpoint,
) -> None:
    sender = CurlSender(DEV, SystemClock(), ca_file=AUTHORITY, resolver=FixedResolver("127.0.0.1"))
    assert (await send(sender, tls_endpoint.url())).status == 200
    assert (await send(sender, tls_endpoint.url(host="hooks.example.com"))).status == 200
    outcome = await send(sender, tls_endpoint.url(host="other.example.com"))
    await sender.close()
    assert outcome.status is None
    assert outcome.error is not None
    assert "certificate" in outcome.error
    assert len(tls_endpoint.requests) == 2


async def test_https_to_an_endpoint_that_speaks_plainly_fails(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    outcome = await send(sender, f"https://127.0.0.1:{endpoint.port}/", seconds=0.5)
    assert outcome.status is None
    assert outcome.error is not None
