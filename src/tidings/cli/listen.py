"""`tidings listen`: an endpoint for people who build integrations (contract 2.4, 2.5, 2.8)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.text import Text

from tidings.cli.connection import connect_in_loop
from tidings.cli.logs import configure_logs
from tidings.cli.options import Json, with_settings
from tidings.cli.output import note, print_line
from tidings.client import EventsPage
from tidings.config import LogFormat, LogLevel, Settings, variable_of
from tidings.listener.delivery import Delivery
from tidings.listener.telling import event_line, json_line, lines_of
from tidings.receiver.secrets import Secrets, sorted_secrets

PORTS = (443, 8000, 8008, 8080, 8443)
"""Where senders of callbacks reach an endpoint (contract 2.2)."""
_PORTS = ", ".join(str(port) for port in PORTS)

SecretFlags = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        help="A webhook's shared secret or signing secret; may be repeated. "
        f"({variable_of('secret')}, parted by spaces)",
    ),
]


Port = Annotated[int, typer.Option(help=f"One of {_PORTS}.")]
AnyPort = Annotated[
    bool, typer.Option("--any-port", help="Let --port be any, 0 for one that is free.")
]
NoSecret = Annotated[
    bool, typer.Option("--no-secret", help="Take what nobody signed; anybody may send it.")
]
Cert = Annotated[
    str | None, typer.Option(help="A PEM file: the certificate and its chain, for TLS.")
]
Key = Annotated[
    str | None,
    typer.Option(
        help="A PEM file: the private key of --cert. "
        f"With --pull the API key ({variable_of('key')})."
    ),
]
Forward = Annotated[
    str | None, typer.Option(help="Pass each request on to this URL, and say what came back.")
]
Record = Annotated[
    str | None, typer.Option(help="Add each request to this file, for `tidings replay`.")
]
Pull = Annotated[
    str | None,
    typer.Option(help="Listen on no port: list this webhook's events at --url as they come."),
]
PageToken = Annotated[
    str | None, typer.Option(help="With --pull, go on after this token; else from the beginning.")
]


@with_settings("host", "url")
def listen(
    settings: Settings,
    port: Port = 8000,
    any_port: AnyPort = False,
    secret: SecretFlags = None,
    no_secret: NoSecret = False,
    cert: Cert = None,
    key: Key = None,
    forward: Forward = None,
    record: Record = None,
    pull: Pull = None,
    page_token: PageToken = None,
    json: Json = False,
) -> None:
    """Receive callbacks and pings: answer challenges, verify, print each event.

    What isn't signed by a --secret is refused. With --forward, what isn't taken there is answered
    502, so that its sender tries again. It keeps nothing: for an endpoint of your own there is
    `tidings.receiver`. Ctrl-C ends it.

        $ tidings listen --secret 3qo29mvjou6xt5fujukjtwzhj0
        $ tidings listen --port 8443 --host 0.0.0.0 --cert cert.pem --key key.pem --secret whsec_x
        $ tidings listen --no-secret --forward http://127.0.0.1:5000/hook --record hooks.jsonl
        $ tidings listen --pull 3c8a1835-a39a-43ba-ba9c-6fbce5581e34
    """
    if pull is not None:
        if secret or no_secret or cert or forward or record:
            raise typer.BadParameter("--pull has no endpoint: only --url, --key and --page-token")
        if key is not None:
            settings = settings.model_copy(update={"key": SecretStr(key)})
        _pull(settings, pull, page_token, json=json)
        return
    if page_token is not None:
        raise typer.BadParameter("--page-token goes with --pull")
    if port not in PORTS and not any_port:
        raise typer.BadParameter(
            f"--port is one of {_PORTS}: senders of callbacks reach no other; "
            "--any-port lets it be any"
        )
    if (cert is None) != (key is None):
        raise typer.BadParameter("--cert and --key go together")

    # Imported late, so that no other command waits for the HTTP server's parts to load.
    from tidings.cli.http_server import Tls
    from tidings.cli.listening import Wanted, listen_until_told

    wanted = Wanted(
        host=settings.host,
        port=port,
        secrets=_wanted_secrets(settings, secret, no_secret=no_secret),
        tls=Tls(cert, key) if cert is not None and key is not None else None,
        forward=forward,
        record=record,
    )
    configure_logs(LogLevel.WARNING, LogFormat.CONSOLE)
    asyncio.run(listen_until_told(wanted, _listening, teller(json=json)))


def secrets_of(settings: Settings, flags: list[str] | None) -> Secrets | None:
    """Return the secrets of the flags, else of the environment; None without any.

    Raises ConfigurationError for one that can't be a secret.
    """
    variable = settings.secret.get_secret_value() if settings.secret is not None else ""
    given = flags or variable.split()
    return sorted_secrets(given) if given else None


def teller(*, json: bool) -> Callable[[Delivery], None]:
    """Return what prints a delivery: for programs a line of JSON, for people several in colour."""
    if json:
        return lambda delivery: print_line(json_line(delivery))
    print_text = _printer()

    def tell(delivery: Delivery) -> None:
        for line in lines_of(delivery):
            print_text(line)

    return tell


def _wanted_secrets(
    settings: Settings, flags: list[str] | None, *, no_secret: bool
) -> Secrets | None:
    if no_secret and not flags:
        return None
    found = None if no_secret else secrets_of(settings, flags)
    if found is None:
        raise typer.BadParameter(
            "say --secret, by which requests are verified, or --no-secret where nobody signs them"
        )
    return found


def _pull(settings: Settings, webhook_id: str, page_token: str | None, *, json: bool) -> None:
    from tidings.cli.pulling import pull_until_told

    print_text = _printer()

    def tell(page: EventsPage) -> None:
        if json:
            for text in page.texts:
                print_line(text)
        else:
            for event in page.events:
                print_text(event_line(event))

    async def run() -> str:
        async with connect_in_loop(settings) as client:
            return await pull_until_told(client, webhook_id, page_token, tell, note)

    token = asyncio.run(run())
    note(f"go on with --page-token {token}" if token else "nothing was read yet")


def _printer() -> Callable[[Text], None]:
    console = Console(highlight=False, soft_wrap=True)
    return console.print


def _listening(url: str) -> None:
    note(f"tidings is listening on {url}")
