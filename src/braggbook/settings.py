"""What a person may set, and where each value came from. Built once in a face (command line, hub), then passed down."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import platformdirs

from braggbook.errors import InputError, Issue

_MARKS = ("notebooks", "datasets", "kernels")


@dataclass(frozen=True)
class Settings:
    """Everything that can be set. Every field is also an environment variable ``BRAGGBOOK_<FIELD>``."""

    project: Path  # the folder that holds notebooks/, datasets/, kernels/
    runs: Path  # where run folders go
    cache: Path  # downloaded files and installed kernels; safe to delete
    archive: Path  # the embedded archive, which keeps what was published into it
    vault: Path  # hidden data, keys and submissions of challenges that one organises; never inside the project
    data_mirror: Path | None = None  # a folder that is searched, by hash, before anything is downloaded
    start_timeout_s: float = 120.0  # a kernel that does not answer by then did not start
    cell_timeout_s: float = 3600.0  # a cell that takes longer is stopped and the run fails
    memory_limit_mb: int = 0  # address space of the kernel; 0 = nine tenths of the machine's memory
    output_limit_mb: int = 20  # text and pictures of one run beyond this are dropped, and the notebook says so
    embed_limit_mb: int = 100  # datasets larger than this are named in a run by source and hash, not copied


def find_project(start: Path) -> Path:
    """Returns the nearest folder at or above ``start`` that holds notebooks/, datasets/ or kernels/, else ``start``."""
    for folder in (start, *start.parents):
        if sum((folder / mark).is_dir() for mark in _MARKS) >= 2 or (folder / "braggbook.toml").is_file():
            return folder
    return start


def load_settings(
    given: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    start: Path | None = None,
) -> tuple[Settings, dict[str, str]]:
    """Builds the settings from flags, then environment, then defaults.

    Args:
        given: Values from the command line; None means not given.
        environment: Defaults to the process's own.
        start: Where to look for the project; defaults to the working directory.

    Returns:
        The settings, and for each field where its value came from: flag, environment or default.

    Raises:
        InputError: A value is not of the field's type; all of them are listed.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    issues: list[Issue] = []
    for field in fields(Settings):
        variable = f"BRAGGBOOK_{field.name.upper()}"
        flag = (given or {}).get(field.name)
        if flag is None and not environment.get(variable):
            continue
        text, origins[field.name] = (flag, "flag") if flag is not None else (environment[variable], "environment")
        try:
            values[field.name] = _convert(str(text), str(field.type))
        except ValueError:
            issues.append(
                Issue(
                    "not a setting's value",
                    f"{field.name} ({origins[field.name]})",
                    str(field.type),
                    repr(text),
                )
            )
    if issues:
        raise InputError(
            "settings that cannot be used",
            issues=issues,
            next_command="give the variable or option another value, then: braggbook list settings",
        )
    project = values.get("project") or find_project((start or Path.cwd()).resolve())
    defaults = {
        "project": project,
        "runs": project / "runs",
        "cache": platformdirs.user_cache_path("braggbook"),
        "archive": platformdirs.user_data_path("braggbook") / "archive",
        "vault": platformdirs.user_data_path("braggbook") / "vault",
    }
    settings = Settings(**{**defaults, **values})
    return settings, {field.name: origins.get(field.name, "default") for field in fields(Settings)}


def _convert(text: str, kind: str) -> Path | float | int:
    if kind.startswith("Path"):
        return Path(text).expanduser().resolve()
    number = int(text) if kind == "int" else float(text)
    if not 0 <= number < float("inf"):
        raise ValueError(text)
    return number
