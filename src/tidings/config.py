"""Every setting, once: env TIDINGS_X = flag --x = field x. Read by the command line only.

A value is taken from the flag, else from the environment, else from the default. What has a bound
in `domain/limits.py` has its default there.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from tidings.domain import limits
from tidings.domain.server_role import ServerRole
from tidings.errors import ConfigurationError

ENV_PREFIX = "TIDINGS_"


class LogFormat(StrEnum):
    """How log lines look: for people, or one JSON object a line."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least severe line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Settings(BaseSettings):
    """What an operator or a user may choose. Frozen; made by `load_settings`."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore")

    database: str = Field(
        "sqlite:///tidings.db",
        description="The database's URL: sqlite:///relative.db, sqlite:////absolute.db or "
        "postgresql://user@host/name.",
    )
    database_connections: Annotated[int, Field(ge=2, le=1_000)] = Field(
        limits.DATABASE_CONNECTIONS,
        description="PostgreSQL: connections of one process beside those that append.",
    )
    statement_seconds: Annotated[float, Field(ge=1, le=3_600)] = Field(
        limits.STATEMENT_SECONDS,
        description="PostgreSQL: seconds after which the database breaks off a statement.",
    )
    host: str = Field("127.0.0.1", description="The address to listen on; 0.0.0.0 is every one.")
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        8080, description="The port to listen on; 0 picks a free one and says which."
    )
    health_port: Annotated[int | None, Field(ge=0, le=65_535)] = Field(
        None,
        description="Another port, which answers /healthz and /readyz alone: in any role, also "
        "while the process starts and stops, and beside `connections`.",
    )
    roles: str = Field(
        ",".join(ServerRole),
        description="What this process does, parted by commas: api answers requests, dispatcher "
        "sends, sweeper lets time take effect. PostgreSQL.",
    )
    workers: Annotated[int, Field(ge=1, le=limits.WORKERS)] = Field(
        1,
        description="Processes that share the roles and the port; one that dies is started again. "
        "PostgreSQL.",
    )
    dev: bool = Field(
        False,
        description="For development: endpoints may be http:// and on this machine. "
        "Never in production.",
    )
    log_level: LogLevel = Field(LogLevel.INFO, description="debug, info, warning or error.")
    log_format: LogFormat = Field(
        LogFormat.CONSOLE, description="console (for people) or json (one object a line)."
    )
    connections: Annotated[int, Field(ge=1, le=65_535)] = Field(
        limits.CONNECTIONS,
        description="Open client connections; a request on one more is answered 503.",
    )
    requests_per_second: Annotated[int, Field(ge=1, le=100_000)] = Field(
        limits.REQUESTS_PER_SECOND,
        description="Requests of one key to the webhook service within any second; a key that "
        "asks more often is refused for 30 s.",
    )
    sheet_requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        limits.SHEET_REQUESTS_PER_MINUTE,
        description="Requests of one key to Smartsheet's webhook service within any minute.",
    )
    publish_requests_per_second: Annotated[int | None, Field(ge=1, le=100_000)] = Field(
        None,
        description="Requests of one key to publishing within any second; without it there is "
        "no limit.",
    )
    account_webhooks: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        limits.ACCOUNT_WEBHOOKS, description="Webhooks that one account may have."
    )
    solution_webhooks: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        limits.SOLUTION_WEBHOOKS,
        description="Webhooks that one solution may have: its changes are matched with each.",
    )
    sends: Annotated[int, Field(ge=1, le=10_000)] = Field(
        limits.SENDS, description="Pings and callbacks in flight at a time."
    )
    callback_gather_seconds: Annotated[float, Field(ge=0, le=3_600)] = Field(
        limits.CALLBACK_GATHER_SECONDS,
        description="Seconds from the first event that waits to its callback: what comes in "
        "between goes with it. Smartsheet's own is 60.",
    )
    drain_seconds: Annotated[float, Field(ge=0, le=limits.DRAIN_SECONDS)] = Field(
        limits.DRAIN_SECONDS,
        description="After SIGTERM, seconds for requests and pings in flight to end.",
    )
    ca_file: str | None = Field(
        None,
        description="A PEM file of the certificate authorities that endpoints may be signed by, "
        "instead of the public ones.",
    )
    url: str = Field("http://127.0.0.1:8080", description="The server that a command speaks to.")
    key: SecretStr | None = Field(
        None, description="The API key that a command shows (`tidings keys create` makes one)."
    )
    secret: SecretStr | None = Field(
        None,
        description="A webhook's shared secret or signing secret, by which `listen` verifies; "
        "several are parted by spaces.",
    )
    patience_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        120.0,
        description="How long a command goes on trying when the server is away or says to wait.",
    )

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("roles", mode="before")
    @classmethod
    def _are_roles(cls, value: object) -> object:
        names = [name.strip().lower() for name in str(value).split(",")]
        for name in names:
            if name not in list(ServerRole):
                raise ValueError(f"must be some of {', '.join(ServerRole)}, parted by commas")
        return ",".join(role for role in ServerRole if role in names)

    @property
    def server_roles(self) -> frozenset[ServerRole]:
        """The setting `roles`, read."""
        return frozenset(map(ServerRole, self.roles.split(",")))

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("key", "secret", "ca_file", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value


def flag_of(setting: str) -> str:
    """Return a setting's flag: `log_level` is `--log-level`."""
    return "--" + setting.replace("_", "-")


def variable_of(setting: str) -> str:
    """Return a setting's environment variable: `log_level` is `TIDINGS_LOG_LEVEL`."""
    return ENV_PREFIX + setting.upper()


def load_settings(flags: dict[str, Any]) -> Settings:
    """Return the settings: flags that were given (not None), then the environment, then defaults.

    Raises ConfigurationError, whose sentence names the flag and the variable, for a wrong value.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0]) if problem["loc"] else "settings"
        raise ConfigurationError(name, _sentence(name, name in given, problem)) from None


def _sentence(name: str, from_flag: bool, problem: ErrorDetails) -> str:
    origin = flag_of(name) if from_flag else variable_of(name)
    reason = problem["msg"].removeprefix("Value error, ")
    shown = "" if name in ("key", "secret") else f" (it is {problem['input']!r})"
    return f"{origin} is wrong: {reason[:1].lower()}{reason[1:]}{shown}."
