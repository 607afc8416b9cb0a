"""`tidings keys`: API keys, in the database itself (contract 3.1, 3.3)."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Annotated

import msgspec
import typer

from tidings.cli.database import on_database
from tidings.cli.options import DATABASE, Json, with_settings
from tidings.cli.output import note, print_json, print_line, print_table
from tidings.clock import SystemClock
from tidings.config import Settings
from tidings.domain import limits
from tidings.domain.instants import format_instant
from tidings.domain.key import (
    KEY_BYTES,
    KEY_ID_BYTES,
    ApiKey,
    Role,
    hash_key,
    new_key_id,
    new_key_text,
)
from tidings.errors import NotFound
from tidings.ports import Storage
from tidings.storage.open import is_postgres, sqlite_path

keys = typer.Typer(
    no_args_is_help=True,
    help="Make, list and revoke API keys. They work on the database, with or without a server.",
)


class _ShownKey(msgspec.Struct):
    """A key as `--json` prints it: never the key itself, nor its hash."""

    key_id: str
    account: str
    name: str
    role: Role
    created_at: str
    last_used_at: str | None
    revoked_at: str | None


def _check_id(value: str, limit: int) -> str:
    if not value or len(value) > limit or not value.isprintable():
        raise typer.BadParameter(f"must have 1 to {limit} printable characters")
    return value


def _check_account(value: str) -> str:
    return _check_id(value, limits.ID_LENGTH)


def _check_name(value: str) -> str:
    return _check_id(value, limits.NAME_LENGTH)


@keys.command()
@with_settings(*DATABASE)
def create(
    settings: Settings,
    account: Annotated[
        str, typer.Option(help="The account the key belongs to.", callback=_check_account)
    ],
    name: Annotated[
        str,
        typer.Option(
            help="What the key is called; webhooks say who made them.", callback=_check_name
        ),
    ],
    role: Annotated[
        Role,
        typer.Option(help="publisher: publish changes; subscriber: webhooks and events; admin."),
    ],
) -> None:
    """Make a key and print it, alone, on standard output. It is shown this once.

    $ export TIDINGS_KEY=$(tidings keys create --account acme --name app --role admin)
    """
    clock = SystemClock()
    text = new_key_text(clock.entropy(KEY_BYTES))
    key = ApiKey(
        key_id=new_key_id(clock.entropy(KEY_ID_BYTES)),
        account=account,
        name=name,
        role=role,
        key_hash=hash_key(text),
        created_at=clock.now(),
    )

    async def work(storage: Storage) -> None:
        await storage.keys.create(key)

    on_database(settings, work, making=True)
    note(f"Made {key.key_id} of account {account}, role {role}, in {_place_of(settings.database)}.")
    note("Keep it: it isn't shown again.")
    print_line(text)


def _place_of(url: str) -> str:
    """Name a database without its password: a key made for another file opens nothing."""
    return "PostgreSQL" if is_postgres(url) else os.path.realpath(sqlite_path(url))


@keys.command("list")
@with_settings(*DATABASE)
def list_keys(
    settings: Settings,
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    json: Json = False,
) -> None:
    """List keys, oldest first, also revoked ones.

    $ tidings keys list --account acme
    """

    async def work(storage: Storage) -> list[_ShownKey]:
        return [_shown(key) for key in await storage.keys.list(account)]

    found = on_database(settings, work)
    if json:
        print_json(found)
        return
    columns = ("KEY ID", "ACCOUNT", "NAME", "ROLE", "CREATED", "LAST USED", "REVOKED")
    print_table(columns, [_row(key) for key in found])


@keys.command()
@with_settings(*DATABASE)
def revoke(
    settings: Settings,
    key_id: Annotated[str, typer.Argument(help="The key's id (`tidings keys list`).")],
) -> None:
    """Revoke a key. Running servers refuse it from the next request on.

    $ tidings keys revoke key_mfzwizlq
    """
    now = SystemClock().now()

    async def work(storage: Storage) -> bool:
        return await storage.keys.revoke(key_id, now)

    if not on_database(settings, work):
        raise NotFound(f"No living key has the id {key_id}.")
    note(f"Revoked {key_id}.")


def _shown(key: ApiKey) -> _ShownKey:
    return _ShownKey(
        key.key_id,
        key.account,
        key.name,
        key.role,
        format_instant(key.created_at),
        _instant(key.last_used_at),
        _instant(key.revoked_at),
    )


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _row(key: _ShownKey) -> tuple[str | None, ...]:
    return (
        key.key_id,
        key.account,
        key.name,
        key.role,
        key.created_at,
        key.last_used_at,
        key.revoked_at,
    )
