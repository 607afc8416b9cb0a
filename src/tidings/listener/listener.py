"""An endpoint that answers as a receiver does, and tells what came (contract 2.8)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus

from tidings.domain import limits
from tidings.domain.challenge import RESPONSE_HEADER
from tidings.errors import StorageUnavailable
from tidings.listener.delivery import Delivery, What, opened
from tidings.listener.passing import Target
from tidings.listener.record import RecordFile, recorded
from tidings.ports import Clock
from tidings.receiver.decision import ACKNOWLEDGED, UNAVAILABLE, Rules, decide
from tidings.receiver.notification import Notification
from tidings.receiver.request import Answer, Request, refusal

_NOT_TAKEN = refusal(HTTPStatus.BAD_GATEWAY, "Where this was passed on to didn't take it.")


class Listener:
    """Answers requests; it is what `tidings.receiver.asgi.run` serves.

    Challenges are answered here, and passed on to nobody. What is verified is recorded, passed on
    and told, and only then acknowledged: a record that can't be written is 503, and what isn't
    taken where it is passed on to is 502, so that its sender tries again and disables nothing.
    """

    max_body_bytes = limits.RECEIVED_BODY_BYTES

    def __init__(
        self,
        rules: Rules,
        clock: Clock,
        tell: Callable[[Delivery], None],
        *,
        record: RecordFile | None = None,
        target: Target | None = None,
    ) -> None:
        self._rules = rules
        self._clock = clock
        self._tell = tell
        self._record = record
        self._target = target
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    async def receive(self, request: Request) -> Answer:
        """Answer a request."""
        verdict = decide(request, self._rules, self._clock.now())
        if isinstance(verdict, Notification):
            return await self._take(request, verdict)
        return self._answer(request, verdict)

    async def open(self) -> None:
        """Begin; there is nothing to do."""

    async def close(self) -> None:
        """End; there is nothing to do."""

    def _answer(self, request: Request, answer: Answer) -> Answer:
        """Tell of a challenge, or of a request that is refused; return what to answer."""
        now = self._clock.now()
        if not any(name == RESPONSE_HEADER for name, _ in answer.headers):
            why = answer.body.decode().strip()
            self._tell(Delivery(at=now, what=What.REFUSED, status=answer.status, why=why))
            return answer
        failure = self._write(request)
        status = answer.status if failure is None else UNAVAILABLE.status
        self._tell(Delivery(at=now, what=What.CHALLENGE, status=status, why=failure or ""))
        return answer if failure is None else UNAVAILABLE

    async def _take(self, request: Request, notification: Notification) -> Answer:
        what, events = opened(notification)
        answer, passed_on = ACKNOWLEDGED, None
        failure = self._write(request)
        if failure is not None:
            answer = UNAVAILABLE
        elif self._target is not None:
            passed_on = await self._target.pass_on(request.headers, notification.body)
            answer = ACKNOWLEDGED if passed_on.acknowledges(what) else _NOT_TAKEN
        delivery = Delivery(
            at=notification.received_at,
            what=what,
            status=answer.status,
            why=failure or "",
            message_id=notification.message_id.decode(errors="replace"),
            repeated=self._was_here(notification.identity),
            events=events,
            body=notification.body,
            passed_on=passed_on,
        )
        self._tell(delivery)
        return answer

    def _write(self, request: Request) -> str | None:
        """Record a request, where that is wished; return why it can't be."""
        if self._record is None:
            return None
        try:
            self._record.write(recorded(self._clock.now(), request.headers, request.body or b""))
        except StorageUnavailable as error:
            return error.message
        return None

    def _was_here(self, identity: bytes | None) -> bool:
        """Note that a request came, and return whether it had come before."""
        if identity is None:
            return False
        known = identity in self._seen
        self._seen[identity] = None
        self._seen.move_to_end(identity)
        if len(self._seen) > limits.LISTENED_IDS:
            self._seen.popitem(last=False)
        return known
