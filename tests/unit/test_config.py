"""Settings: one name for the flag, the variable and the field; a wrong value is a sentence."""

from __future__ import annotations

import os
from typing import Any

import pytest
from pydantic import ValidationError

from tidings.cli.serve import check_shared
from tidings.config import LogLevel, Settings, flag_of, load_settings, variable_of
from tidings.domain.server_role import EVERY_ROLE, ServerRole
from tidings.errors import ConfigurationError


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TIDINGS_")]:
        monkeypatch.delenv(name)


def test_a_flag_goes_before_a_variable_and_a_variable_before_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings({"port": None}).port == 8080
    monkeypatch.setenv("TIDINGS_PORT", "81")
    assert load_settings({"port": None}).port == 81
    assert load_settings({"port": "82"}).port == 82


def test_every_setting_is_documented_and_has_one_name() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description
        assert field.description.endswith(".")
        assert flag_of(name).removeprefix("--").replace("-", "_") == name
        assert variable_of(name).removeprefix("TIDINGS_").lower() == name


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"port": "abc"}, "--port is wrong: input should be a valid integer"),
        ({"port": "-1"}, "--port"),
        ({"connections": "0"}, "--connections"),
        ({"log_format": "xml"}, "--log-format is wrong"),
        ({"url": "ftp://x"}, "must begin with http:// or https://"),
        ({"drain_seconds": "26"}, "less than or equal to 25"),
        ({"roles": "api,cook"}, "must be some of api, dispatcher, sweeper"),
        ({"roles": ""}, "--roles is wrong"),
        ({"workers": "0"}, "--workers"),
    ],
)
def test_a_wrong_flag_is_named_in_a_sentence(flags: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_settings(flags)
    assert words in raised.value.message
    assert raised.value.argument in flags


def test_a_wrong_variable_is_named_as_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_DEV", "perhaps")
    with pytest.raises(ConfigurationError, match="TIDINGS_DEV is wrong") as raised:
        load_settings({})
    assert raised.value.argument == "dev"


def test_a_key_is_not_shown_by_what_prints_settings() -> None:
    settings = load_settings({"key": "tdg_secret"})
    assert "tdg_secret" not in repr(settings)
    assert settings.key is not None
    assert settings.key.get_secret_value() == "tdg_secret"


def test_an_empty_key_is_none_and_levels_are_read_in_any_case(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIDINGS_KEY", "")
    monkeypatch.setenv("TIDINGS_LOG_LEVEL", "WARNING")
    settings = load_settings({})
    assert settings.key is None
    assert settings.log_level is LogLevel.WARNING


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        load_settings({}).port = 1


def test_roles_are_read_in_any_order_and_case() -> None:
    assert load_settings({}).server_roles == EVERY_ROLE
    assert load_settings({"roles": " Sweeper,API"}).server_roles == {
        ServerRole.API,
        ServerRole.SWEEPER,
    }


@pytest.mark.parametrize("flags", [{"workers": "2"}, {"roles": "api"}])
def test_a_database_with_one_server_refuses_to_share_its_work(flags: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="one alone serves") as raised:
        check_shared(load_settings(flags))
    assert raised.value.argument in flags
    shared = {**flags, "database": "postgresql://nobody@localhost/nothing"}
    check_shared(load_settings(shared))
