"""A kernel's lock: making it, reading its pins, and telling whether an environment satisfies it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from braggbook.errors import InputError, Issue, LockDrift, NetworkError
from braggbook.files import sha256_file, write_text
from braggbook.kernels.catalogue import LOCK, REQUIREMENTS, Kernel

PROJECT_LOCK = "requirements.lock"  # all kernels of a project are parts of this one resolution
_HEADER = "# requirements.in sha256:"
_FLOOR = "3.11"


def read_pins(path: Path) -> list[Requirement]:
    """Returns the pins (``name==version ; marker``) of a lock, hashes left out.

    Raises:
        InputError: A line is not a pin.
    """
    pins, joined = [], path.read_text(encoding="utf-8").replace("\\\n", " ")
    for number, line in enumerate(joined.splitlines(), 1):
        text = re.sub(r"\s--hash=\S+", "", line.partition("#")[0]).strip()
        if not text or text.startswith("-"):
            continue
        try:
            pin = Requirement(text)
        except InvalidRequirement as error:
            raise InputError(
                "not a pin", where=f"{path.name}, entry {number}", wanted="name==version", got=str(error)
            ) from None
        if [spec.operator for spec in pin.specifier] != ["=="]:
            raise InputError("not a pin", where=f"{path.name}, entry {number}", wanted="name==version", got=text)
        pins.append(pin)
    return pins


def needed_here(pins: Iterable[Requirement], environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the pins that apply on this machine and Python: version by canonical name."""
    facts: dict[str, str] = {k: str(v) for k, v in (environment or default_environment()).items()}
    applying = [pin for pin in pins if pin.marker is None or pin.marker.evaluate({**facts, "extra": ""})]
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in applying}


def installed_here() -> dict[str, str]:
    """Returns the version of every distribution in the current environment by canonical name."""
    # Editable and half-removed installations may lack a name; they are no pins of any lock.
    found = [(item.metadata["Name"], item.version) for item in metadata.distributions()]
    return {canonicalize_name(name): version for name, version in found if name}


def unmet_pins(pins: Iterable[Requirement], installed: Mapping[str, str]) -> list[Issue]:
    """Returns the pins that apply here and are not installed at exactly that version."""
    return [
        Issue("not the locked version", name, version, installed.get(name, "not installed"))
        for name, version in sorted(needed_here(pins).items())
        if installed.get(name) != version
    ]


def lock_findings(kernel: Kernel, *, project: Path) -> list[Issue]:
    """Returns how a kernel's lock has drifted: from its requirements, or from the project's one resolution."""
    where = f"kernels/{kernel.slug}/{LOCK}"
    first = kernel.lock_path.read_text(encoding="utf-8").partition("\n")[0]
    wanted = sha256_file(kernel.folder / REQUIREMENTS)
    issues = []
    if first.removeprefix(_HEADER) != wanted:
        issues.append(Issue(f"made from another {REQUIREMENTS}", where, f"sha256 {wanted[:12]}…", _stated(first)))
    shared = project / PROJECT_LOCK
    if shared.is_file():
        resolution = {(canonicalize_name(pin.name), str(pin.specifier)) for pin in read_pins(shared)}
        for pin in read_pins(kernel.lock_path):
            if (canonicalize_name(pin.name), str(pin.specifier)) not in resolution:
                issues.append(
                    Issue("not in the project's resolution", where, PROJECT_LOCK, f"{pin.name}{pin.specifier}")
                )
    return issues


def _stated(line: str) -> str:
    return f"{line.removeprefix(_HEADER)[:12]}…" if line.startswith(_HEADER) else "none stated"


def require_locked(kernel: Kernel, *, project: Path) -> None:
    """Checks that the lock belongs to its requirements and to the project's resolution.

    Raises:
        LockDrift: It does not; every difference is listed.
    """
    if issues := lock_findings(kernel, project=project):
        next_command = f"braggbook kernel lock {kernel.slug}"
        raise LockDrift(
            "the kernel's lock has drifted", where=kernel.slug, issues=issues[:20], next_command=next_command
        )


def make_lock(folder: Path, *, project: Path) -> Path:
    """Resolves ``requirements.in`` to a lock with hashes, for every platform, inside the project's resolution.

    Raises:
        NetworkError: The resolver failed; its last words are given.
    """
    requirements = folder / REQUIREMENTS
    command = [*uv_command(), "pip", "compile", str(requirements), "--universal", "--python-version", _FLOOR]
    command += ["--generate-hashes", "--no-annotate", "--no-header", "--quiet"]
    if (project / PROJECT_LOCK).is_file():
        command += ["--constraints", str(project / PROJECT_LOCK)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=project)
    if done.returncode:
        raise NetworkError(
            "the requirements could not be resolved", where=str(requirements), got=done.stderr.strip()[-2000:]
        )
    write_text(folder / LOCK, f"{_HEADER}{sha256_file(requirements)}\n{done.stdout}")
    return folder / LOCK


def freeze_lock(folder: Path) -> Path:
    """Makes the lock from what is installed in the current environment: no resolver, no network, no hashes."""
    requirements = folder / REQUIREMENTS
    lines = (line.partition("#")[0].strip() for line in requirements.read_text(encoding="utf-8").splitlines())
    wanted = [Requirement(line) for line in lines if line]
    pins = "".join(f"{name}=={version}\n" for name, version in sorted(_closure(wanted).items()))
    write_text(folder / LOCK, f"{_HEADER}{sha256_file(requirements)}\n{pins}")
    return folder / LOCK


def _closure(wanted: list[Requirement]) -> dict[str, str]:
    facts: dict[str, str] = {k: str(v) for k, v in default_environment().items()}
    found: dict[str, str] = {}
    queue = [(item.name, frozenset(item.extras)) for item in wanted]
    seen = set()
    while queue:
        name, extras = queue.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        distribution = metadata.distribution(name)
        found[canonicalize_name(name)] = distribution.version
        for text in distribution.requires or []:
            needed = Requirement(text)
            choices = [{**facts, "extra": extra} for extra in (extras or {""})]
            if needed.marker is None or any(needed.marker.evaluate(choice) for choice in choices):
                queue.append((needed.name, frozenset(needed.extras)))
    return found


def uv_command() -> list[str]:
    """Returns how to call uv here.

    Raises:
        InputError: It is not installed.
    """
    if path := os.environ.get("UV") or shutil.which("uv"):
        return [path]
    for python in (sys.executable, shutil.which("python3") or ""):
        if (
            python
            and subprocess.run([python, "-m", "uv", "--version"], capture_output=True, check=False).returncode == 0
        ):
            return [python, "-m", "uv"]
    raise InputError(
        "uv is not installed",
        wanted="uv, which resolves and installs",
        next_command="python3 -m pip install uv",
    )
