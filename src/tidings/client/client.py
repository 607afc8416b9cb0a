"""The API's methods, by the words of the contract (1.4, 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import msgspec

from tidings.client.messages import (
    Event,
    EventsPage,
    LinesReceipt,
    PublishReceipt,
    SecretRotation,
    Webhook,
    WebhooksPage,
)
from tidings.client.transport import Patience, Transport
from tidings.errors import InvalidArgument, TidingsError, Unavailable

_SERVICE = "/smartsuite.webhooks.engine.Webhooks"
_T = TypeVar("_T")


class _OneWebhook(msgspec.Struct):
    webhook: Webhook


class _EventsAnswer(msgspec.Struct):
    next_page_token: str
    events: list[msgspec.Raw] = []
    has_more: bool = False
    events_expired: bool = False


class _LinesAnswer(LinesReceipt, frozen=True, kw_only=True):
    field: str | None = None
    detail: str | None = None


class Client:
    """A server's API with one key, synchronous. Use it in a `with`, or close it.

    `pause` is called with the seconds to wait before a request is repeated: `time.sleep`, or a
    test's own. Lost connections and answers of 429 and 503 are repeated where that is safe, as
    long as `patience` allows. Raises the errors of `tidings.errors`.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        pause: Callable[[float], None],
        patience: Patience | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._transport = Transport(
            url, key, pause=pause, patience=patience or Patience(), transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Twice is fine."""
        self._transport.close()

    # --- webhooks ---------------------------------------------------------------------------

    def create_webhook(
        self,
        solution_id: str,
        kinds: Sequence[str],
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - the contract's word
        url: str | None = None,
        start_at: str | None = None,
    ) -> Webhook:
        """Create a webhook; without a filter it covers the solution, without a url it isn't pinged.

        The answer alone carries its signing secret. Not repeated after a lost answer.
        """
        wish: dict[str, Any] = {
            "locator": {"solution_id": solution_id},
            "kinds": list(kinds),
            "filter": filter or {"solution": {}},
        }
        if url is not None:
            wish["notification_status"] = {"enabled": {"url": url}}
        if start_at is not None:
            wish["start_at"] = start_at
        return self._call("CreateWebhook", {"webhook": wish}, _OneWebhook, again=False).webhook

    def get_webhook(self, webhook_id: str) -> Webhook:
        """Return a webhook; raises NotFound."""
        return self._call("GetWebhook", {"webhook_id": webhook_id}, _OneWebhook).webhook

    def list_webhooks(
        self, *, solution_id: str | None = None, page_token: str | None = None
    ) -> WebhooksPage:
        """Return one page of the account's webhooks, of one solution if it is named."""
        wish = {"solution_id": solution_id, "page_token": page_token}
        return self._call("ListWebhooks", wish, WebhooksPage)

    def walk_webhooks(self, *, solution_id: str | None = None) -> Iterator[Webhook]:
        """Yield all webhooks, page by page."""
        token: str | None = None
        while True:
            page = self.list_webhooks(solution_id=solution_id, page_token=token)
            yield from page.webhooks
            token = page.next_page_token
            if not token:
                return

    def update_webhook(self, webhook_id: str, changes: dict[str, Any]) -> Webhook:
        """Replace the fields in `changes` (filter, kinds, notification_status), keep others."""
        wish = {"webhook": {"webhook_id": webhook_id, **changes}}
        return self._call("UpdateWebhook", wish, _OneWebhook).webhook

    def delete_webhook(self, webhook_id: str) -> None:
        """Delete a webhook; raises NotFound. Not repeated after a lost answer."""
        self._call("DeleteWebhook", {"webhook_id": webhook_id}, dict[str, Any], again=False)

    def rotate_secret(self, webhook_id: str) -> SecretRotation:
        """Give a webhook a new signing secret; the last one signs too for a day. Raises NotFound.

        Not repeated after a lost answer: that would end the last one's day.
        """
        wish = {"webhook_id": webhook_id}
        return self._call("RotateSecret", wish, SecretRotation, again=False)

    # --- events -----------------------------------------------------------------------------

    def list_events(
        self,
        webhook_id: str,
        *,
        page_token: str | None = None,
        page_size: int | None = None,
        wait_seconds: float | None = None,
    ) -> EventsPage:
        """Return the page after `page_token` (none: from the webhook's beginning)."""
        wish = {
            "webhook_id": webhook_id,
            "page_token": page_token,
            "page_size": page_size,
            "wait_seconds": wait_seconds,
        }
        answer = self._call("ListEvents", wish, _EventsAnswer)
        return EventsPage(
            events=tuple(msgspec.json.decode(raw, type=Event) for raw in answer.events),
            texts=tuple(bytes(raw) for raw in answer.events),
            next_page_token=answer.next_page_token,
            has_more=answer.has_more,
            events_expired=answer.events_expired,
        )

    # --- publishing -------------------------------------------------------------------------

    def publish(self, body: bytes, *, idempotency_key: str) -> PublishReceipt:
        """Publish one JSON body of changes (contract 3.2).

        Repeated under the same key after a lost connection, which appends nothing twice.
        """
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
        response = self._transport.post("/v1/changes", body, repeatable=True, headers=headers)
        return _decoded(response, PublishReceipt)

    def publish_lines(
        self,
        solution_id: str,
        pieces: Callable[[], Iterable[bytes]],
        *,
        idempotency_key: str,
        from_line: int = 1,
        source: str | None = None,
        handler: str | None = None,
        content_encoding: str | None = None,
    ) -> LinesReceipt:
        """Publish NDJSON of any length; `pieces` makes the whole stream anew for every try.

        Repeated under the same key after a lost connection, which appends nothing twice. A line
        that is wrong doesn't raise: the receipt names it, and what was taken before it.
        """
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": idempotency_key}
        if content_encoding is not None:
            headers["Content-Encoding"] = content_encoding
        params = {"solution_id": solution_id}
        if from_line != 1:
            params["from_line"] = str(from_line)
        params |= {"source": source} if source else {}
        params |= {"handler": handler} if handler else {}
        response = self._transport.post(
            "/v1/changes",
            pieces,
            repeatable=True,
            headers=headers,
            params=params,
            accepted=frozenset({200, 400}),
        )
        answer = _decoded(response, _LinesAnswer)
        if response.status_code == httpx.codes.OK:
            return answer
        return _refused(answer)

    def _call(self, method: str, wish: object, kind: type[_T], *, again: bool = True) -> _T:
        response = self._transport.post(
            f"{_SERVICE}/{method}",
            msgspec.json.encode(wish),
            repeatable=again,
            headers={"Content-Type": "application/json"},
        )
        return _decoded(response, kind)


def _refused(answer: _LinesAnswer) -> LinesReceipt:
    word, _, number = (answer.field or "").partition(" ")
    message = answer.detail or "The server refused the stream."
    if word != "line" or not number.isdigit():
        raise InvalidArgument(answer.field or "body", message)
    return msgspec.structs.replace(
        answer, refused_line=int(number), refusal=message.removeprefix(f"{answer.field}: ")
    )


def _decoded(response: httpx.Response, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.DecodeError, RecursionError):
        if "json" in response.headers.get("content-type", ""):
            raise TidingsError("The server's answer isn't one of this API's.") from None
        raise Unavailable("The answer isn't a Tidings server's: is the URL right?") from None
