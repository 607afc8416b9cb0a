"""`tidings publish`: a file of changes into the log, however long, resumed when cut (3.2, 3.3)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from tidings.cli.connection import connect
from tidings.cli.lines_file import LinesFile, open_lines
from tidings.cli.options import SERVER, Json, with_settings
from tidings.cli.output import note, print_json
from tidings.client import LinesReceipt
from tidings.config import Settings
from tidings.errors import InvalidArgument


@with_settings(*SERVER)
def publish(
    settings: Settings,
    file: Annotated[
        str, typer.Argument(help="A file of NDJSON, one change a line, also .gz; - is the input.")
    ],
    solution: Annotated[str, typer.Option(help="The solution (base) that the changes belong to.")],
    source: Annotated[str | None, typer.Option(help="ctx.source of the events.")] = None,
    handler: Annotated[str | None, typer.Option(help="ctx.handler of the events.")] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(help="Default: made of the file's content and the solution."),
    ] = None,
    from_line: Annotated[
        int, typer.Option(min=1, help="Skip the lines before this one: they were taken.")
    ] = 1,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress on the way.")] = False,
    json: Json = False,
) -> None:
    """Publish a file of changes to a server.

    It goes on after lost connections, and running it again within 24 hours appends nothing
    twice. Where a line is wrong it says which, and how to go on when it is mended.

        $ tidings publish changes.ndjson --solution crm
        $ zcat dump.gz | tidings publish - --solution crm --gzip

    A line of the file:

        {"kind": "RECORD_CREATED", "application_id": "deals", "record_id": "17", "data": {}}
    """
    with open_lines(file) as lines, connect(settings) as client, _Bar(lines) as bar:
        key = idempotency_key or lines.idempotency_key(solution)
        receipt = client.publish_lines(
            solution,
            lambda: lines.pieces(bar.advance, packed=gzip),
            idempotency_key=key,
            from_line=from_line,
            source=source,
            handler=handler,
            content_encoding="gzip" if gzip else None,
        )
    if json:
        print_json(receipt)
    else:
        note(_summary(receipt))
    if receipt.refused_line is not None:
        raise InvalidArgument("file", _how_to_resume(receipt, file, solution, key))


def _summary(receipt: LinesReceipt) -> str:
    text = f"Lines: {receipt.lines}; changes appended: {receipt.accepted}"
    if receipt.suppressed:
        text += f"; suppressed, since they changed nothing: {receipt.suppressed}"
    if receipt.last_position is not None:
        text += f"; positions: {receipt.first_position} to {receipt.last_position}"
    return text + "."


def _how_to_resume(receipt: LinesReceipt, file: str, solution: str, key: str) -> str:
    return (
        f"Line {receipt.refused_line} of {file} is wrong: {receipt.refusal}. "
        f"{receipt.lines} lines are taken and durable. Mend the line and go on with: "
        f"tidings publish {file} --solution {solution} --idempotency-key {key} "
        f"--from-line {receipt.lines + 1}"
    )


class _Bar:
    """A progress bar on standard error, where that is a terminal."""

    def __init__(self, lines: LinesFile) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._task = self._progress.add_task("publishing", total=lines.size)
        self.advance: Callable[[int], None] = self._moved_to

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _moved_to(self, offset: int) -> None:
        self._progress.update(self._task, completed=offset)
