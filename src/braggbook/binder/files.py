"""The folder ``binder/``: what each of its files says, and how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from braggbook.binder.requirements import PYTHON, make_requirements
from braggbook.files import storage, write_bytes

FOLDER, HIDDEN = "binder", ".binder"
REQUIREMENTS, RUNTIME, APT, POST_BUILD, START = "requirements.txt", "runtime.txt", "apt.txt", "postBuild", "start"
OVERRIDES, BADGE = "overrides.json", "badge.svg"
EXECUTABLE = (POST_BUILD, START)
APT_NAMES = ("libgcc-s1", "libgomp1", "libstdc++6", "zlib1g")  # what the wheels load and do not bring with them


def fixed_files() -> dict[str, bytes]:
    """Returns the files that depend on nothing but this version of Braggbook, by name."""
    templates = files("braggbook.binder") / "templates"
    copied = {name: (templates / name).read_bytes() for name in (POST_BUILD, START, OVERRIDES, BADGE)}
    apt = "".join(f"{name}\n" for name in sorted(APT_NAMES))
    return {**copied, RUNTIME: f"python-{PYTHON}\n".encode(), APT: apt.encode()}


def binder_files(project: Path) -> dict[str, bytes]:
    """Returns every file of ``binder/`` by name; see :func:`braggbook.binder.requirements.make_requirements`."""
    return {**fixed_files(), REQUIREMENTS: make_requirements(project).encode()}


def write_binder(project: Path, content: Mapping[str, bytes]) -> list[str]:
    """Writes ``binder/``, and returns the names of those files that were not so before.

    What else lies there is left alone: the linter says which of it repo2docker would act upon.

    Raises:
        StorageError: The disk refuses.
    """
    folder = project / FOLDER
    with storage(folder):
        folder.mkdir(exist_ok=True)
    changed = []
    for name, data in content.items():
        path = folder / name
        mode = 0o755 if name in EXECUTABLE else 0o644
        if not path.is_file() or path.read_bytes() != data or path.stat().st_mode & 0o777 != mode:
            changed.append(name)
            write_bytes(path, data)
            path.chmod(mode)
    return changed
