"""Where the demo's server keeps its log: a file, a PostgreSQL started for it, or the user's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tidings.clock import SystemClock
from tidings.demo.private_postgres import PrivatePostgres
from tidings.demo.processes import run_tidings
from tidings.domain import limits
from tidings.errors import ConfigurationError
from tidings.sql_files import queries_of
from tidings.storage.open import is_postgres, postgres

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_SQL = queries_of("tidings.demo", "databases.sql")


class Databases:
    """A fresh database for each act, while it is entered; nothing of them is left afterwards.

    `wish` is `sqlite`, `postgresql` (a server of the demo's own), or the URL of a PostgreSQL
    database, in which each act has a schema of its own. Raises ConfigurationError for anything
    else, and FailedPrecondition on entering where no PostgreSQL is found.
    """

    def __init__(self, wish: str, say: Callable[[str], None]) -> None:
        if wish not in (SQLITE, POSTGRESQL) and not is_postgres(wish):
            raise ConfigurationError(
                "database", "the demo runs on sqlite, postgresql, or postgresql://user@host/name"
            )
        self._wish = wish
        self._say = say
        self._url = wish
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._wish == POSTGRESQL:
            server = self._stack.enter_context(PrivatePostgres(durable=True))
            self._url = server.url()
            self._say(f"a PostgreSQL of the demo's own runs on port {server.port} of this machine")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @contextmanager
    def fresh(self, folder: Path) -> Iterator[str]:
        """Let the block have an empty database of the current schema, by its URL.

        Raises StorageUnavailable or StorageFault where the user's own can't be used.
        """
        if self._wish == SQLITE:
            yield f"sqlite:///{folder}/demo.db"
            return
        schema = f"tidings_demo_{SystemClock().entropy(6).hex()}"
        asyncio.run(self._execute("create_schema", schema))
        try:
            sign = "&" if "?" in self._url else "?"
            url = f"{self._url}{sign}search_path={schema}"
            run_tidings("migrate", "--database", url, folder=folder)
            yield url
        finally:
            asyncio.run(self._execute("drop_schema", schema))

    async def _execute(self, name: str, schema: str) -> None:
        database = postgres().connection.Database(
            self._url, connections=1, statement_seconds=limits.MIGRATION_SECONDS
        )
        try:
            async with database.writing() as connection:
                await connection.execute(_SQL[name].format(schema=schema))
        finally:
            await database.close()
