"""What an organiser sets: where each value comes from, what is refused, what is never shown."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from braggbook.errors import InputError
from braggbook.hub.config import HubConfig, describe_config, load_config, shown_config

PROVIDER = """
[[providers]]
name = "orcid"
title = "ORCID"
issuer = "https://orcid.org"
client_id = "APP-1"
"""


def _load(folder: Path, text: str = "", *, given: dict[str, Any] | None = None, **variables: str) -> Any:
    folder.joinpath("hub.toml").write_text(text, encoding="utf-8")
    environment = {f"BRAGGBOOK_HUB_{name}": value for name, value in variables.items()}
    return load_config({"data": folder, **(given or {})}, environment=environment)


def _issues(folder: Path, text: str = "", **more: Any) -> list[str]:
    with pytest.raises(InputError, match="a hub's settings that cannot be used") as caught:
        _load(folder, text, **more)
    return [str(issue) for issue in caught.value.issues]


def test_nothing_set_is_enough(tmp_path: Path) -> None:
    config, origins = load_config(environment={}, file=None)
    assert config.database == f"sqlite:///{config.data / 'hub.sqlite'}"
    assert set(origins.values()) == {"default"}
    config, origins = _load(tmp_path)
    assert (config.data, origins["data"], origins["database"]) == (tmp_path, "flag", "default")
    assert config.spool == tmp_path / "spool"


def test_a_flag_goes_before_a_variable_before_the_file(tmp_path: Path) -> None:
    text = 'title = "file"\nhost = "10.0.0.1"\nport = 1\nworkers = 5'
    config, origins = _load(tmp_path, text, given={"port": 3, "workers": None}, PORT="2", HOST="10.0.0.2")
    assert (config.title, config.host, config.port, config.workers) == ("file", "10.0.0.2", 3, 5)
    file = str(tmp_path / "hub.toml")
    expected = {"title": file, "host": "environment", "port": "flag", "workers": file, "prefix": "default"}
    assert {name: origins[name] for name in expected} == expected


def test_a_file_may_be_named(tmp_path: Path) -> None:
    named = tmp_path / "other.toml"
    named.write_text("workers = 7", encoding="utf-8")
    given = {"data": tmp_path}
    assert load_config(given, environment={}, file=named)[0].workers == 7
    assert load_config(given, environment={"BRAGGBOOK_HUB_CONFIG": str(named)})[0].workers == 7
    with pytest.raises(InputError, match="cannot be read"):
        load_config(given, environment={}, file=tmp_path / "none.toml")
    named.write_text("workers = ", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        load_config(given, environment={}, file=named)


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    assert _load(tmp_path, PORT="")[1]["port"] == "default"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("WORKERS", "0", 0),
        ("PUBLIC_RUNS", "true", True),
        ("SCORING_TIMEOUT_S", "1.5", 1.5),
        ("PREFIX", "/user/x@y/braggbook/", "/user/x@y/braggbook"),
        ("PUBLIC_URL", "https://hub.example.org/", "https://hub.example.org"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, ::1", "10.0.0.0/8, ::1"),
        ("NEWCOMERS", "invited", "invited"),
    ],
)
def test_values_come_as_text(name: str, text: str, value: object, tmp_path: Path) -> None:
    assert getattr(_load(tmp_path, **{name: text})[0], name.lower()) == value


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    found = _issues(tmp_path, 'titel = "x"\nport = 70000', WORKERS="many", given={"log_format": "xml"})
    assert len(found) == 4
    said = "\n".join(found)
    for part in ("hub.toml: titel", "did you mean title", "port (", "workers (environment)", "log_format (flag)"):
        assert part in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PREFIX", "proxy/8000"),
        ("PREFIX", "/a/../b"),
        ("PREFIX", "//evil.example.org"),
        ("PREFIX", "/a b"),
        ("PUBLIC_URL", "hub.example.org"),
        ("PUBLIC_URL", "javascript:alert(1)"),
        ("PUBLIC_URL", "https://hub.example.org/below"),
        ("PUBLIC_URL", "https://name:password@hub.example.org"),
        ("PUBLIC_URL", "https://hub.example.org:port"),
        ("TRUSTED_PROXIES", "*"),
        ("TRUSTED_PROXIES", "proxy.example.org"),
        ("TITLE", " "),
        ("PORT", "-1"),
        ("WORKERS", "65"),
        ("SESSION_DAYS", "0"),
        ("UPLOAD_MB", "0"),
        ("SCORING_TIMEOUT_S", "0"),
        ("PUBLIC_RUNS", "perhaps"),
    ],
)
def test_values_that_cannot_be_used(name: str, value: str, tmp_path: Path) -> None:
    (issue,) = _issues(tmp_path, **{name: value})
    assert f"{name.lower()} (environment)" in issue


def test_a_provider_s_secret_comes_from_the_environment(tmp_path: Path) -> None:
    config, _ = _load(tmp_path, PROVIDER, ORCID_SECRET="s3cret")
    assert (config.providers[0].client_secret, config.providers[0].scopes) == ("s3cret", ("openid",))
    text = PROVIDER + 'client_secret = "of the file"\nscopes = ["openid", "profile"]'
    config, _ = _load(tmp_path, text, ORCID_SECRET="s3cret")
    assert (config.providers[0].client_secret, config.providers[0].scopes) == ("of the file", ("openid", "profile"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("orcid.org", "orcid.org?x=1"), "issuer"),
        (("https://orcid.org", "http://orcid.org"), "issuer"),
        (('name = "orcid"', 'name = "../x"'), "name"),
        (('client_id = "APP-1"', ""), "client_id"),
        (('client_id = "APP-1"', 'client_id = "APP-1"\nclient_sekret = "s3cret"'), "client_sekret"),
        (('client_id = "APP-1"', 'client_id = "APP-1"\nclient_secret = ["s3cret"]'), "client_secret"),
        (('client_id = "APP-1"', 'client_id = "APP-1"' + PROVIDER), "two providers"),
    ],
)
def test_providers_that_cannot_be_used(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    found = "\n".join(_issues(tmp_path, PROVIDER.replace(*change)))
    assert said in found
    assert "s3cret" not in found


def test_a_provider_on_this_machine_needs_no_https(tmp_path: Path) -> None:
    config, _ = _load(tmp_path, PROVIDER.replace("https://orcid.org", "http://127.0.0.1:9000/realm"))
    assert config.providers[0].issuer == "http://127.0.0.1:9000/realm"


def test_providers_are_in_the_file_only(tmp_path: Path) -> None:
    assert _load(tmp_path, PROVIDERS="x")[0].providers == ()
    assert describe_config()["providers"][0] == ""


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    text = PROVIDER + 'client_secret = "s3cret"'
    config, _ = _load(tmp_path, text, DATABASE="postgresql://hub:s3cret@db.example.org/hub")
    assert "s3cret" not in repr(config)
    found = shown_config(config)
    assert "s3cret" not in str(found)
    assert (found["database"], found["providers"]) == ("postgresql://hub:***@db.example.org/hub", "orcid")
    assert list(found) == [one.name for one in dataclasses.fields(HubConfig)] == list(describe_config())


def test_https_is_known_by_the_address(tmp_path: Path) -> None:
    assert _load(tmp_path, PUBLIC_URL="https://hub.example.org")[0].secure
    assert not _load(tmp_path, PUBLIC_URL="http://hub.example.org")[0].secure
