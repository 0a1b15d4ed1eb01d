"""Whether the pins install on the runtime: asked of the index, through uv, without installing anything."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from braggbook.binder.files import FOLDER, REQUIREMENTS
from braggbook.binder.own import PLATFORM
from braggbook.binder.requirements import PYTHON, RUNTIME
from braggbook.errors import Issue, NetworkError
from braggbook.kernels.lock import uv_command

_OFFLINE = ("could not connect", "failed to fetch", "dns error", "error sending request")
_TIMEOUT_S = 600


def resolve_issues(project: Path) -> list[Issue]:
    """Returns what uv says against the pins: a version that is gone, a hash that differs, a need that is not pinned.

    Raises:
        InputError: uv is missing.
        NetworkError: No index can be reached.
    """
    path = project / FOLDER / REQUIREMENTS
    with tempfile.TemporaryDirectory() as folder:
        command = [*uv_command(), "pip", "install", "--dry-run", "--require-hashes", "--requirement", str(path)]
        command += [
            "--python-version",
            RUNTIME["python_full_version"],
            "--python-platform",
            PLATFORM,
            "--only-binary",
            ":all:",
        ]
        command += ["--target", f"{folder}/nothing", "--color", "never"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=_TIMEOUT_S)
    if done.returncode == 0:
        return []
    said = " ".join(done.stderr.split())
    if any(word in said.lower() for word in _OFFLINE):
        raise NetworkError("no index can be reached", wanted="a network, or a check without --resolve", got=said[-300:])
    wanted = f"pins that install on Python {PYTHON}, Linux x86_64"
    return [Issue("the pins do not resolve", f"{FOLDER}/{REQUIREMENTS}", wanted, said[-1500:])]
