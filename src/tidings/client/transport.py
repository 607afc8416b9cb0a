"""One server, one key: requests out, errors of ours back, and waiting as told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from ipaddress import ip_address

import httpx
import msgspec

from tidings.client.failures import error_of, rest_after
from tidings.errors import RateLimited, Unavailable

TIMEOUT = httpx.Timeout(75.0, connect=10.0)
"""Seconds for each read or write: longer than the longest `wait_seconds` (30 s) and a busy log."""

Body = bytes | Callable[[], Iterable[bytes]]
"""A body, or what makes its pieces anew for every try."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long to go on trying when the server is away, or says to wait."""

    total_seconds: float = 120.0
    """All waits of one request together; one that would go beyond it isn't begun."""
    first_seconds: float = 0.1
    longest_seconds: float = 5.0

    def wait_before(self, attempt: int, told_seconds: float) -> float:
        """Return the wait before the `attempt`-th repeat (1, 2, …): doubled, or as told."""
        own = min(self.first_seconds * 2.0 ** (attempt - 1), self.longest_seconds)
        return max(own, told_seconds)


class Transport:
    """HTTP to one server with one key."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        pause: Callable[[float], None],
        patience: Patience,
        transport: httpx.BaseTransport | None,
    ) -> None:
        self._url = url
        self._pause = pause
        self._patience = patience
        self._rest_seconds = 0.0
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Token {key}"},
            timeout=TIMEOUT,
            transport=transport,
            trust_env=not _is_loopback(httpx.URL(url).host),
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def post(
        self,
        path: str,
        body: Body,
        *,
        repeatable: bool,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        accepted: frozenset[int] = frozenset({200}),
    ) -> httpx.Response:
        """POST until there is an answer other than "wait", or patience ends; return the answer.

        What was sent may have been done although its answer was lost, so only a `repeatable`
        request is sent again after that. Raises the errors of `failures.error_of` for statuses
        not in `accepted`, Unavailable where no answer came.

        Where the last answer said that this key has no more requests for now, it waits first as
        long as that said: going past a rate limit costs more than waiting (contract 1.8).
        """
        rest, self._rest_seconds = self._rest_seconds, 0.0
        if rest:
            self._pause(rest)
        attempt, waited = 0, 0.0
        while True:
            try:
                return self._post_once(path, body, headers or {}, params or {}, accepted)
            except _NotSent as error:
                failure: Unavailable | RateLimited = error
            except RateLimited as error:
                failure = error
            except Unavailable as error:
                if not repeatable:
                    raise
                failure = error
            attempt += 1
            wait = self._patience.wait_before(attempt, failure.retry_after_seconds)
            if waited + wait > self._patience.total_seconds:
                raise failure
            self._pause(wait)
            waited += wait

    def _post_once(
        self,
        path: str,
        body: Body,
        headers: Mapping[str, str],
        params: Mapping[str, str],
        accepted: frozenset[int],
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else body()
        try:
            response = self._http.post(path, content=content, headers=headers, params=params)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _NotSent(
                f"No server answers at {self._url} ({error}).", retry_after_seconds=0.0
            ) from None
        except httpx.TransportError as error:
            raise Unavailable(
                f"The connection to {self._url} was lost ({str(error) or type(error).__name__}).",
                retry_after_seconds=0.0,
            ) from None
        if response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
            self._rest_seconds = rest_after(response.headers)
        if response.status_code in accepted:
            return response
        failure = error_of(response.status_code, response.headers, response.content)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            failure.message += " (see `--key` or TIDINGS_KEY)"
        raise failure


class _NotSent(Unavailable):
    """No connection was made, so nothing was sent: any request may be sent again."""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
