"""What of this machine must be seen inside for a Python to run there: its environment, and what that points to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from braggbook.errors import KernelUnavailable

_SHOWN = ("/usr", "/lib", "/lib64", "/bin", "/sbin")  # always
_ASK = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix]))"
_MOST_LINKS = 40  # as the system itself follows


def environment_places(python: Path) -> dict[str, Path]:
    """Returns where a Python's environment is seen inside: at its own paths, however these are spelled.

    Args:
        python: The interpreter, of a virtual environment or not.

    Raises:
        KernelUnavailable: It does not start, or its folder is one that holds more than an environment.
    """
    folders = {Path(folder) for folder in _prefixes(python)}
    folders |= {link.parent.parent for link in _links(python)}
    places: dict[str, Path] = {}
    for folder in sorted(folders, key=lambda path: len(path.parts)):
        if any(folder.is_relative_to(shown) for shown in (*_SHOWN, *places)):
            continue
        target = folder.resolve()
        _require_narrow(target)
        places[str(folder)] = target
    return places


def _prefixes(python: Path) -> list[str]:
    if str(python) == sys.executable:
        return [sys.prefix, sys.base_prefix]
    done = subprocess.run([str(python), "-I", "-S", "-c", _ASK], capture_output=True, text=True, check=False)
    if done.returncode:
        raise KernelUnavailable(
            "the kernel's Python does not start", where=str(python), got=done.stderr.strip()[-500:],
            next_command="braggbook kernel install",
        )  # fmt: skip
    found: list[str] = json.loads(done.stdout)
    return found


def _links(python: Path) -> Iterator[Path]:
    """Gives every name that an interpreter has on the way to its file."""
    path = python.absolute()
    for _ in range(_MOST_LINKS):
        yield path
        if not path.is_symlink():
            break
        path = Path(os.path.normpath(path.parent / path.readlink()))
    yield path.resolve()


def _require_narrow(folder: Path) -> None:
    home = Path.home().resolve()
    if folder == Path(folder.anchor) or home.is_relative_to(folder):
        raise KernelUnavailable(
            "the Python's environment is a folder with more than that in it",
            where=str(folder),
            wanted="a virtual environment of its own",
            next_command="python -m venv .venv",
        )
