"""The hashed requirements of Binder's environment: the kernels' locks, JupyterLab, and what the package itself needs.

In a checkout all of them come of the project's one resolution, so nothing is resolved here: uv writes out the part of
its lock that is asked for. Pins that cannot apply to the runtime are left out; the markers of the others are kept.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from braggbook.errors import InputError, NetworkError
from braggbook.files import canonical_json, sha256_bytes, sha256_file
from braggbook.kernels.catalogue import LOCK, kernel_folders
from braggbook.kernels.lock import PROJECT_LOCK, uv_command

PYTHON = "3.11"  # of the image: the oldest that the package supports, and the one that the kernels' locks begin with
_MICRO = 14  # a late one: repo2docker takes what conda-forge had last, and markers tell 3.11.4 from 3.11.5
EXTRA, GROUP = "lab", "binder"  # JupyterLab with the hub in a tab; what builds the package
RUNTIME = {
    "implementation_name": "cpython",
    "implementation_version": f"{PYTHON}.{_MICRO}",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": f"{PYTHON}.{_MICRO}",
    "python_version": PYTHON,
    "sys_platform": "linux",
    "extra": "",
}
_HEADER = "# Made by `braggbook binder write` of the kernels' locks and what the package needs. Not for editing.\n"
_SOURCES = "# sources sha256:"
_HASH = re.compile(r"--hash=(\w+):(\w+)")


@dataclass(frozen=True)
class Entry:
    """One entry of a requirements file: where it begins, and its text on one line."""

    line: int
    text: str

    @cached_property
    def requirement(self) -> Requirement | None:
        """What it asks for, None where it is no requirement."""
        try:
            return Requirement(_HASH.sub("", self.text).strip())
        except InvalidRequirement:
            return None

    @cached_property
    def hashes(self) -> frozenset[tuple[str, str]]:
        """Algorithm and digest of every file that may be installed."""
        return frozenset((match[1], match[2]) for match in _HASH.finditer(self.text))

    @property
    def name(self) -> str:
        """The distribution's canonical name, empty where it is no requirement."""
        return canonicalize_name(self.requirement.name) if self.requirement else ""

    @property
    def version(self) -> str:
        """The one version that is pinned, empty where none is."""
        specifiers = list(self.requirement.specifier) if self.requirement else []
        pinned = len(specifiers) == 1 and specifiers[0].operator == "==" and "*" not in specifiers[0].version
        return specifiers[0].version if pinned else ""

    @property
    def applies(self) -> bool:
        """Whether it applies to the runtime."""
        return self.requirement is not None and applies(self.requirement.marker)


def applies(marker: Marker | None, *, extras: Iterable[str] = ()) -> bool:
    """Returns whether a marker holds for the runtime, with any of these extras."""
    return marker is None or any(marker.evaluate({**RUNTIME, "extra": extra}) for extra in ("", *extras))


def read_entries(text: str) -> list[Entry]:
    """Takes a requirements file apart; comments and empty lines are left out."""
    found, start, joined = [], 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        start = start if joined else number
        joined += " " + re.sub(r"(^|\s)#.*", "", line).strip()
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        if joined.strip():
            found.append(Entry(start, " ".join(joined.split())))
        joined = ""
    return found


def is_checkout(project: Path) -> bool:
    """Returns whether a project holds Braggbook's own source; any other project gets Braggbook as a wheel.

    Raises:
        InputError: ``pyproject.toml`` cannot be read.
    """
    card = _read_pyproject(project)
    name: object = card.get("project", {}).get("name")
    return name == "braggbook" and (project / PROJECT_LOCK).is_file()


def asked_for(project: Path) -> list[Requirement]:
    """Returns what the package, JupyterLab and the package's build ask for, with a marker where there is one.

    Args:
        project: A checkout of Braggbook.
    """
    card = _read_pyproject(project)
    texts = [*card["project"]["dependencies"], *card["project"].get("optional-dependencies", {}).get(EXTRA, [])]
    texts += [text for text in card.get("dependency-groups", {}).get(GROUP, []) if isinstance(text, str)]
    return [Requirement(text) for text in [*texts, *card["build-system"]["requires"]]]


def _read_pyproject(project: Path) -> dict[str, Any]:
    path = project / "pyproject.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise InputError("cannot be read", where=path.name, wanted="TOML", got=str(error)) from None


def sources_digest(project: Path, needs: Iterable[Requirement]) -> str:
    """Returns the digest of all that decides which distributions are needed; their pins are compared one by one.

    Args:
        project: With its kernels.
        needs: What the environment needs besides.
    """
    kernels = {slug: sha256_file(folder / LOCK) for slug, folder in kernel_folders(project).items()}
    return sha256_bytes(canonical_json({"asked_for": sorted(map(str, needs)), "kernels": kernels}))


def stated_digest(text: str) -> str:
    """Returns the digest of the sources that a requirements file says it was made of."""
    match = re.search(rf"^{_SOURCES}(\w+)$", text, flags=re.MULTILINE)
    return match[1] if match else ""


def make_requirements(project: Path) -> str:
    """Returns the text of ``binder/requirements.txt`` for a checkout of Braggbook.

    Raises:
        InputError: uv is missing, or a kernel has a pin of its own.
        NetworkError: uv could not say what it resolved.
    """
    return compose_requirements(project, exported=_export(project))


def compose_requirements(project: Path, *, exported: str) -> str:
    """Returns the same from what uv wrote out.

    Args:
        project: A checkout of Braggbook.
        exported: Hashed pins of all that the package, JupyterLab and the build need, for every platform.

    Raises:
        InputError: See :func:`make_requirements`.
    """
    chosen = {entry.name: entry for entry in read_entries(exported) if entry.applies}
    for slug, entry in kernel_pins(project):
        if chosen.setdefault(entry.name, entry).version != entry.version:
            raise InputError(
                "a kernel's lock is not of the project's resolution",
                where=f"kernels/{slug}/{LOCK}, line {entry.line}",
                wanted=f"{entry.name}=={chosen[entry.name].version}",
                got=entry.version,
                next_command=f"braggbook kernel lock {slug}",
            )
    return spelled(chosen.values(), digest=sources_digest(project, asked_for(project)))


def spelled(entries: Iterable[Entry], *, digest: str) -> str:
    """Returns the text of a requirements file: the same entries give the same bytes, in whatever order they come."""
    pins = "".join(_spelled(entry) for entry in sorted(entries, key=lambda entry: entry.name))
    return f"{_HEADER}{_SOURCES}{digest}\n{pins}"


def _export(project: Path) -> str:
    command = [*uv_command(), "export", "--quiet", "--no-emit-project", "--no-annotate", "--no-header"]
    command += ["--no-default-groups", "--extra", EXTRA, "--group", GROUP]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=project)
    if done.returncode:
        raise NetworkError("uv could not write out its resolution", where=str(project), got=done.stderr.strip()[-2000:])
    return done.stdout


def _spelled(entry: Entry) -> str:
    requirement = entry.requirement
    assert requirement is not None  # what does not read as one does not apply
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    hashes = sorted(f"--hash={algorithm}:{digest}" for algorithm, digest in entry.hashes)
    return " \\\n    ".join([f"{entry.name}=={entry.version}{marker}", *hashes]) + "\n"


def project_pins(project: Path) -> dict[tuple[str, str], frozenset[tuple[str, str]]]:
    """Returns the hashes of every pin of the project's resolution by name and version."""
    text = (project / PROJECT_LOCK).read_text(encoding="utf-8")
    return {(entry.name, entry.version): entry.hashes for entry in read_entries(text)}


def kernel_pins(project: Path) -> Iterator[tuple[str, Entry]]:
    """Yields every pin of every kernel that applies to the runtime."""
    for slug, folder in kernel_folders(project).items():
        path = folder / LOCK
        entries = read_entries(path.read_text(encoding="utf-8")) if path.is_file() else []
        yield from ((slug, entry) for entry in entries if entry.applies)
