"""What an organiser sets of the hub, and where each value came from."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, TypeAdapter, ValidationError

from braggbook.errors import InputError, Issue, closest
from braggbook.formats.common import SLUG
from braggbook.hub.people.providers import Provider
from braggbook.hub.store.database import shown_url

FILE = "hub.toml"  # in the data folder, where nobody names another one
_VARIABLE = "BRAGGBOOK_HUB_"
_SECRETS = ("database", "providers")  # hold some, perhaps behind a mistyped key: their values are not repeated
_IN_FILE = ("providers",)  # a table does not fit into a variable
_PREFIX = re.compile(r"(/(?!\.\.?(?:/|$))[A-Za-z0-9._~@:-]+)*/?")
_HERE = ("127.0.0.1", "::1", "localhost")  # where a provider may be reached without HTTPS


@dataclass(frozen=True)
class HubConfig:
    """Everything that can be set of a hub."""

    data: Path  # uploads on their way, the database where it is SQLite; nobody else's to read
    # address: sqlite:////folder/hub.sqlite or postgresql://host/name
    database: str = field(repr=False)
    host: str = "127.0.0.1"  # where it listens
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    socket: Path | None = None  # a Unix socket instead of host and port
    prefix: str = ""  # path before every address, such as /proxy/8000
    public_url: str = ""  # how people reach it from outside, such as https://hub.example.org
    title: str = "Braggbook"  # of the site
    workers: Annotated[int, Field(ge=0, le=64)] = (
        1  # processes that evaluate, started and kept by `braggbook serve`; 0: others do it
    )
    newcomers: Literal["anyone", "invited"] = "anyone"  # who may sign in by an OpenID provider for the first time
    session_days: Annotated[int, Field(ge=1, le=366)] = 14  # that a sign-in lasts
    upload_mb: Annotated[int, Field(ge=1)] = 2048  # no upload is larger, whatever a challenge allows
    scoring_timeout_s: Annotated[float, Field(gt=0)] = 600.0  # a scoring notebook that takes longer is the hub's fault
    public_runs: bool = False  # whether people who are not signed in see the project's runs
    log_format: Literal["json", "text"] = "json"
    trusted_proxies: str = "127.0.0.1"  # whose X-Forwarded-For is believed
    providers: tuple[Provider, ...] = ()  # in the file only: [[providers]]

    @property
    def spool(self) -> Path:
        """Where uploads lie until the vault has them."""
        return self.data / "spool"

    @property
    def secure(self) -> bool:
        """Whether people reach it by HTTPS."""
        return self.public_url.startswith("https://")


def load_config(
    given: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> tuple[HubConfig, dict[str, str]]:
    """Builds the configuration from flags, then the environment, then a file, then defaults.

    Args:
        given: Values of flags; None means not given.
        environment: Defaults to the process's own; ``BRAGGBOOK_HUB_<FIELD>``.
        file: A TOML file; by default ``hub.toml`` in the data folder, if it is there.

    Returns:
        The configuration, and for each field where its value came from.

    Raises:
        InputError: Values that cannot be used; all of them are listed.
    """
    environment = os.environ if environment is None else environment
    flags = {name: value for name, value in (given or {}).items() if value is not None}
    variables = {
        one.name: environment[name]
        for one in fields(HubConfig)
        if one.name not in _IN_FILE and environment.get(name := _VARIABLE + one.name.upper())
    }
    default_data = platformdirs.user_data_path("braggbook") / "hub"
    data = Path(flags.get("data") or variables.get("data") or default_data).expanduser().resolve()
    named = file or (Path(environment[_VARIABLE + "CONFIG"]) if environment.get(_VARIABLE + "CONFIG") else None)
    path = named or data / FILE
    said = _read(path) if named is not None or path.is_file() else {}
    issues = [
        Issue("no such setting", f"{path.name}: {name}", closest(name, [one.name for one in fields(HubConfig)]))
        for name in said
        if name not in {one.name for one in fields(HubConfig)}
    ]
    values, origins = _chosen([(flags, "flag"), (variables, "environment"), (said, str(path))], issues)
    values.setdefault("data", data)
    values.setdefault("database", f"sqlite:///{values['data'] / 'hub.sqlite'}")
    values["providers"] = tuple(_with_secret(one, environment) for one in values.get("providers", ()))
    issues += _wrong(values, origins)
    if issues:
        raise InputError(
            "a hub's settings that cannot be used", issues=issues, next_command="braggbook hub settings --help"
        )
    for name in ("prefix", "public_url"):
        if name in values:
            values[name] = values[name].rstrip("/")
    return HubConfig(**values), {one.name: origins.get(one.name, "default") for one in fields(HubConfig)}


def shown_config(config: HubConfig) -> dict[str, str]:
    """Returns every value as text, without passwords and secrets."""
    found = {one.name: str(getattr(config, one.name)) for one in fields(HubConfig)}
    found["database"] = shown_url(config.database)
    found["providers"] = ", ".join(one.name for one in config.providers) or "none"
    return found


def describe_config() -> dict[str, tuple[str, str]]:
    """Returns the variable and the default of every field; no variable where only the file has it."""
    return {
        one.name: (
            "" if one.name in _IN_FILE else _VARIABLE + one.name.upper(),
            "" if one.default is MISSING else str(one.default),
        )
        for one in fields(HubConfig)
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("the hub's file of settings cannot be read", where=str(path), got=str(error)) from None


def _chosen(sources: list[tuple[Mapping[str, Any], str]], issues: list[Issue]) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the value of each field from the first source that has it, and that source's name."""
    hints = get_type_hints(HubConfig, include_extras=True)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, hint in hints.items():
        for source, origin in sources:
            if name not in source:
                continue
            try:
                value = TypeAdapter(hint).validate_python(source[name])
            except ValidationError as error:
                issues += [_issue(name, origin, one) for one in error.errors()]
                break
            values[name] = value.expanduser().resolve() if isinstance(value, Path) else value
            origins[name] = origin
            break
    return values, origins


def _wrong(values: Mapping[str, Any], origins: Mapping[str, str]) -> list[Issue]:
    """Returns what is of the right type and nevertheless of no use."""
    found: list[Issue] = []

    def look(name: str, wanted: str, *, fits: bool) -> None:
        if not fits:
            found.append(Issue("not a setting's value", f"{name} ({origins[name]})", wanted, repr(values[name])[:100]))

    prefix, site = values.get("prefix", ""), values.get("public_url", "")
    networks = values.get("trusted_proxies", "").replace(",", " ").split()
    look("prefix", "the beginning of a path, such as /proxy/8000", fits=_PREFIX.fullmatch(prefix) is not None)
    look("public_url", "such as https://hub.example.org; a path goes into prefix", fits=not site or _is_site(site))
    look("trusted_proxies", "addresses or networks, with commas between them", fits=all(map(_is_network, networks)))
    look("title", "a title", fits=bool(values.get("title", "x").strip()))
    names = [one.name for one in values["providers"]]
    for at, one in enumerate(values["providers"]):
        where = f"providers.{at} ({origins['providers']})"
        if SLUG.fullmatch(one.name) is None:
            found.append(Issue("not a provider's name", where, "small letters, digits and _", repr(one.name)[:60]))
        if one.name in names[:at]:
            found.append(Issue("two providers of one name", where, "another name", repr(one.name)[:60]))
        if not _is_issuer(one.issuer):
            found.append(Issue("not a provider's issuer", where, "an address with https", repr(one.issuer)[:100]))
    return found


def _is_site(address: str) -> bool:
    """Returns whether an address is a host's, with nothing behind it."""
    return _leads(address, path="/?") and address.startswith(("http://", "https://"))


def _is_issuer(address: str) -> bool:
    """Returns whether an address may be a provider's: by HTTPS, unless it is on this machine."""
    return _leads(address, path=".*") and (address.startswith("https://") or urlsplit(address).hostname in _HERE)


def _leads(address: str, *, path: str) -> bool:
    """Returns whether an address has a host, a path of this form, no name and password, and nothing else."""
    try:
        found = urlsplit(address)
        host, _ = found.hostname, found.port
    except ValueError:
        return False
    plain = not (found.query or found.fragment or "@" in found.netloc)
    return found.scheme in ("http", "https") and bool(host) and plain and re.fullmatch(path, found.path) is not None


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _issue(name: str, origin: str, error: Any) -> Issue:
    inner = ".".join(map(str, error["loc"]))
    got = "" if name in _SECRETS else repr(error["input"])[:100]
    return Issue("not a setting's value", f"{name}{'.' + inner if inner else ''} ({origin})", error["msg"], got)


def _with_secret(provider: Provider, environment: Mapping[str, str]) -> Provider:
    """Takes a provider's secret from the environment, where the file does not hold it."""
    variable = f"{_VARIABLE}{provider.name.upper()}_SECRET"
    if provider.client_secret or not environment.get(variable):
        return provider
    return dataclasses.replace(provider, client_secret=environment[variable])
