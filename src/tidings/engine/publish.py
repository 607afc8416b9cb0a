"""Publishing: what is sent is read, judged, and appended whole, or refused whole (contract 3.2)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import msgspec

from tidings.domain.buckets import bucket_of
from tidings.domain.caps import Caps
from tidings.domain.change import check_id, check_name
from tidings.domain.event import (
    DEFAULT_HANDLER,
    DEFAULT_SOURCE,
    SEED_BYTES,
    Batch,
    batch_entries,
    made_ids,
)
from tidings.domain.instants import format_instant
from tidings.domain.json_text import check_json_text, decode_json
from tidings.domain.limits import JSON_DEPTH, PREPARE_INLINE_BYTES
from tidings.domain.lines import chunk_key
from tidings.domain.log_entry import Append, Receipt
from tidings.domain.publication import judge_changes, read_publication
from tidings.engine.known_sheets import KnownSheets
from tidings.engine.line_stream import LinesReceipt, LinesRequest, LineStream
from tidings.ports import ApplicationStore, ChangeLog, Clock

_KEY_BYTES = 16
_CONTEXT = b"application/json\n"
"""What a JSON publish's hash begins with, so that no NDJSON chunk's is ever the same."""


class Registration(msgspec.Struct, frozen=True, omit_defaults=True):
    """An application of a solution (contract 3.2)."""

    solution_id: str
    application_id: str
    name: str | None = None


_REGISTRATION = msgspec.json.Decoder(Registration)


class Publisher:
    """Takes changes, and registrations of applications, into an account's solutions."""

    def __init__(self, log: ChangeLog, applications: ApplicationStore, clock: Clock) -> None:
        self._log = KnownSheets(log)
        self._applications = applications
        self._caps = Caps()
        self._clock = clock

    async def publish(self, account: str, body: bytes, idempotency_key: str | None) -> Receipt:
        """Append a JSON publish, all of it or nothing, and return its receipt.

        The same key with the same body appends once within 24 h (mechanics L4).
        Raises MalformedRequest, InvalidArgument or TooLarge for what was sent, and what
        `ChangeLog.append` raises.
        """
        now = format_instant(self._clock.now())
        seed = self._clock.entropy(SEED_BYTES)
        # The place that a stream's first chunk has: the same key for either is one key (L4).
        key = chunk_key(idempotency_key or self._clock.entropy(_KEY_BYTES).hex(), 1)
        is_new = idempotency_key is None
        if len(body) > PREPARE_INLINE_BYTES:
            append = await asyncio.to_thread(_prepared, account, body, key, is_new, now, seed)
        else:
            append = _prepared(account, body, key, is_new, now, seed)
        if not append.entries and is_new:
            # Nothing to append, and no key under which anyone could ask again.
            return Receipt(
                accepted=0,
                suppressed=append.suppressed,
                batch_id=append.batch_id,
                first_position=None,
                last_position=None,
            )
        return await self._log.append(append)

    async def publish_lines(
        self,
        account: str,
        pieces: AsyncIterator[bytes],
        *,
        solution: str,
        source: str | None = None,
        handler: str | None = None,
        idempotency_key: str | None = None,
        from_line: int = 1,
    ) -> LinesReceipt:
        """Append a stream of NDJSON in chunks of whole batches, and say how far it got.

        Lines before `from_line` are skipped unread. What stops it on its way is told in the
        receipt, `stopped`, since what was taken before is durable. Raises InvalidArgument for the
        arguments beside the stream.
        """
        check_id("solution_id", solution)
        check_name("source", source or "")
        check_name("handler", handler or "")
        request = LinesRequest(
            account=account,
            solution=solution,
            source=source or DEFAULT_SOURCE,
            handler=handler or DEFAULT_HANDLER,
            key=idempotency_key or self._clock.entropy(_KEY_BYTES).hex(),
            from_line=from_line,
        )
        return await LineStream(self._log, self._clock, request).take(pieces)

    async def register_application(self, account: str, body: bytes) -> Registration:
        """Register an application with its solution; the same again changes its name.

        Raises MalformedRequest, InvalidArgument, AlreadyExists where it is another solution's, or
        FailedPrecondition where the account has no room for it.
        """
        check_json_text(body, max_depth=JSON_DEPTH)
        wanted = decode_json(_REGISTRATION, body)
        check_id("solution_id", wanted.solution_id)
        check_id("application_id", wanted.application_id)
        check_name("name", wanted.name or "")
        await self._applications.register(
            account,
            wanted.solution_id,
            wanted.application_id,
            wanted.name or None,
            caps=self._caps,
        )
        return wanted


def _prepared(account: str, body: bytes, key: str, is_new: bool, now: str, seed: bytes) -> Append:
    """Read and judge a JSON publish. Pure, so that a large one may be prepared in a thread."""
    publication = read_publication(body)
    changes = judge_changes(publication.changes, now)
    solution = publication.solution_id
    made = made_ids(seed, 1 + len(changes))
    batch = Batch(
        account=account,
        solution=solution,
        batch_id=publication.batch_id or next(made),
        source=publication.source or DEFAULT_SOURCE,
        handler=publication.handler or DEFAULT_HANDLER,
    )
    return Append(
        bucket=bucket_of(account, solution),
        account=account,
        solution=solution,
        key=key,
        key_is_new=is_new,
        body_hash=hashlib.sha256(_CONTEXT + body).digest(),
        entries=tuple(batch_entries(batch, changes, made)),
        suppressed=len(publication.changes) - len(changes),
        batch_id=batch.batch_id,
    )
