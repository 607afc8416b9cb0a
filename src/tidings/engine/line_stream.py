"""One NDJSON stream on its way into the log, a chunk of whole batches at a time (contract 3.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import msgspec

from tidings.domain.buckets import bucket_of
from tidings.domain.event import SEED_BYTES, Batch, batch_entries, made_ids
from tidings.domain.instants import format_instant
from tidings.domain.limits import NDJSON_OVERLOAD_TRIES
from tidings.domain.lines import Chunk, LineSplitter, chunk_key, read_line
from tidings.domain.log_entry import Append, NewEntry, Receipt
from tidings.engine.known_sheets import KnownSheets
from tidings.errors import InvalidArgument, LogOverloaded, RequestError, TidingsError
from tidings.ports import Clock

_BLANKS = b" \t\r"


class LinesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside the lines of a stream."""

    account: str
    solution: str
    source: str
    handler: str
    key: str
    """The idempotency key of the whole file: the client's, or one we made."""
    from_line: int = 1


class LinesReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stream got; what it tells is durable."""

    accepted: int
    suppressed: int
    lines: int
    """Lines of the file that are taken, from its first one on: always a batch's end."""
    first_position: int | None
    last_position: int | None
    stopped: TidingsError | None = None
    """What stopped it; None where the whole file is taken."""
    stopped_line: int | None = None
    """The line that is wrong, where one is."""


class LineStream:
    """Takes one stream. It is used once."""

    def __init__(self, log: KnownSheets, clock: Clock, request: LinesRequest) -> None:
        self._log = log
        self._clock = clock
        self._request = request
        self._now = format_instant(clock.now())
        self._chunk = Chunk()
        self._number = 0
        self._taken = LinesReceipt(
            accepted=0,
            suppressed=0,
            lines=request.from_line - 1,
            first_position=None,
            last_position=None,
        )

    async def take(self, pieces: AsyncIterator[bytes]) -> LinesReceipt:
        """Append the stream chunk by chunk, until its end or until something stops it.

        A chunk that isn't whole when it stops is dropped, so that the file, mended and sent again
        from there, is cut at the same places.
        """
        try:
            async for line in self._lines(pieces):
                await self._take_line(line)
            await self._append_chunk()
        except _BadLine as bad:
            return self._stopped(bad.error, bad.number)
        except TidingsError as error:
            return self._stopped(error, None)
        if self._number < self._request.from_line - 1:
            raise InvalidArgument("from_line", f"the file has only {self._number} lines")
        return msgspec.structs.replace(self._taken, lines=self._number)

    async def _lines(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        splitter = LineSplitter()
        async for piece in pieces:
            ended = splitter.feed(piece)
            while (line := self._next_line(ended)) is not None:
                self._number += 1
                yield line
        if (line := splitter.last()) is not None:
            self._number += 1
            yield line

    def _next_line(self, ended: Iterator[bytes]) -> bytes | None:
        try:
            return next(ended, None)
        except RequestError as error:
            raise _BadLine(error, self._number + 1) from error

    async def _take_line(self, line: bytes) -> None:
        if self._number < self._request.from_line or not line.strip(_BLANKS):
            # A blank line is counted, so that numbers are an editor's, and otherwise ignored.
            return
        try:
            sent = read_line(line)
            if self._chunk.ends_before(sent):
                await self._append_chunk()
            self._chunk.add(self._number, line, sent, self._now)
        except RequestError as error:
            raise _BadLine(error, self._number) from error

    async def _append_chunk(self) -> None:
        chunk, self._chunk = self._chunk, Chunk()
        if not chunk.batches:
            return
        receipt = await self._append_patiently(self._append_of(chunk))
        taken = self._taken
        first = taken.first_position
        last = receipt.last_position
        self._taken = LinesReceipt(
            accepted=taken.accepted + receipt.accepted,
            suppressed=taken.suppressed + receipt.suppressed,
            lines=chunk.last_line,
            first_position=receipt.first_position if first is None else first,
            last_position=taken.last_position if last is None else last,
        )

    async def _append_patiently(self, append: Append) -> Receipt:
        """Append, waiting where the log's queue is full: meanwhile nothing more is read."""
        for _ in range(NDJSON_OVERLOAD_TRIES):
            try:
                return await self._log.append(append)
            except LogOverloaded as error:
                await self._clock.sleep(error.retry_after_seconds)
        return await self._log.append(append)

    def _append_of(self, chunk: Chunk) -> Append:
        request = self._request
        context = msgspec.json.encode(["application/x-ndjson", request.source, request.handler])
        made = made_ids(self._clock.entropy(SEED_BYTES), 2 * chunk.lines)
        entries: list[NewEntry] = []
        batch_id = ""
        for lines in chunk.batches:
            batch_id = lines.batch_id or next(made)
            batch = Batch(
                account=request.account,
                solution=request.solution,
                batch_id=batch_id,
                source=request.source,
                handler=request.handler,
            )
            entries.extend(batch_entries(batch, lines.changes, made))
        return Append(
            bucket=bucket_of(request.account, request.solution),
            account=request.account,
            solution=request.solution,
            key=chunk_key(request.key, chunk.first_line),
            body_hash=chunk.body_hash(context),
            entries=tuple(entries),
            suppressed=chunk.suppressed,
            batch_id=batch_id,
        )

    def _stopped(self, error: TidingsError, line: int | None) -> LinesReceipt:
        return msgspec.structs.replace(self._taken, stopped=error, stopped_line=line)


class _BadLine(Exception):
    """A line that is wrong, and why: on its way from where it is found to the receipt."""

    def __init__(self, error: RequestError, number: int) -> None:
        super().__init__(error.message)
        self.error = error
        self.number = number
