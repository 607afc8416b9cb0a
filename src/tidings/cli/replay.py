"""`tidings replay`: what `tidings listen --record` wrote, told or sent again."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from tidings.cli.listen import SecretFlags, secrets_of, teller
from tidings.cli.options import Json, with_settings
from tidings.cli.output import note
from tidings.clock import SystemClock
from tidings.config import Settings
from tidings.listener.passing import Target
from tidings.listener.record import read_record
from tidings.listener.replaying import replay as play_again


@with_settings()
def replay(
    settings: Settings,
    file: Annotated[str, typer.Argument(help="A file that `tidings listen --record` wrote.")],
    to: Annotated[
        str | None, typer.Option(help="Send each request to this URL; without it, print them.")
    ] = None,
    secret: SecretFlags = None,
    json: Json = False,
) -> None:
    """Send recorded requests again, in their order and unchanged; or print what they were.

    A ping's signature is too old after five minutes: with a --secret, what was signed is signed
    anew. Exits 1 if an answer doesn't acknowledge its request.

        $ tidings replay hooks.jsonl
        $ tidings replay hooks.jsonl --to http://127.0.0.1:5000/hook --secret whsec_…
    """
    secrets = secrets_of(settings, secret)
    clock = SystemClock()

    async def run() -> int:
        requests = read_record(file)
        if to is None:
            return await play_again(
                requests, clock, teller(json=json), target=None, secrets=secrets
            )
        async with Target(to, clock, argument="to") as target:
            return await play_again(
                requests, clock, teller(json=json), target=target, secrets=secrets
            )

    refused = asyncio.run(run())
    if refused:
        note(f"{refused} of the requests were not acknowledged.")
        raise typer.Exit(1)
