"""Passing a request on as it came: the same body, the same headers but for the connection's own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx

from tidings.domain import limits
from tidings.domain.challenge import CHALLENGE_HEADER, why_refused
from tidings.errors import ConfigurationError
from tidings.listener.delivery import PassedOn
from tidings.ports import Clock

_OF_THE_CONNECTION = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers of one hop (RFC 9110 7.6.1), and those that a new connection says anew."""


class Target:
    """Where requests are passed on to. Use it in an `async with`.

    `argument` names the setting that the URL was given by: ConfigurationError for one that is none.
    """

    def __init__(self, url: str, clock: Clock, *, argument: str) -> None:
        self._url = _checked(url, argument)
        self._clock = clock
        # Straight there, past any proxy of the environment; and by a new connection each time, so
        # that none which the other side has just closed is told as a failure.
        self._client = httpx.AsyncClient(
            trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def pass_on(self, headers: Mapping[str, str], body: bytes) -> PassedOn:
        """POST a request, and return what came back within PASS_ON_SECONDS. Never raises.

        `headers` have their names in lower case.
        """
        request = httpx.Request("POST", self._url, headers=_passed(headers), content=body)
        began = self._clock.monotonic()
        status: int | None = None
        failure: str | None = None
        answered = b""
        heads: dict[str, str] = {}
        try:
            async with asyncio.timeout(limits.PASS_ON_SECONDS):
                answer = await self._client.send(request, stream=True)
                status, heads = answer.status_code, dict(answer.headers)
                async with contextlib.aclosing(answer):
                    answered = await _beginning(answer)
        except TimeoutError:
            failure = f"no answer within {limits.PASS_ON_SECONDS:g} s"
        except (httpx.HTTPError, httpx.StreamError) as error:
            failure = str(error) or type(error).__name__
        challenge = headers.get(CHALLENGE_HEADER.lower())
        judged = failure is None and challenge is not None
        return PassedOn(
            url=str(self._url),
            seconds=round(self._clock.monotonic() - began, 3),
            status=status if failure is None else None,
            failure=failure,
            challenge_failure=(
                why_refused(str(challenge), status or 0, heads, answered) if judged else None
            ),
        )


async def _beginning(answer: httpx.Response) -> bytes:
    """Return as much of an answer as is looked at."""
    found = b""
    async for piece in answer.aiter_raw():
        found += piece
        if len(found) > limits.PASSED_ANSWER_BYTES:
            break
    return found


def _passed(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return the headers that go along, as bytes: text may be of any kind in them."""
    named = {name.strip() for name in headers.get("connection", "").lower().split(",")}
    return [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in headers.items()
        if name not in _OF_THE_CONNECTION | named
    ]


def _checked(url: str, argument: str) -> httpx.URL:
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:
        found = httpx.URL()
    if found.scheme not in ("http", "https") or not found.host:
        raise ConfigurationError(
            argument, f"--{argument} {url!r} is no URL that begins with http:// or https://."
        )
    return found
