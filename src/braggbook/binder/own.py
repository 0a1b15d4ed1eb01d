"""A project of one's own, which is no checkout of Braggbook: its pins are resolved, and Braggbook comes as a wheel.

The kernels' locks stay as they are. What they lack, JupyterLab and Braggbook's own needs, is resolved beside them by
uv; pins that ``binder/requirements.txt`` has already are kept where they still do.
"""

from __future__ import annotations

import subprocess
import tempfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from braggbook.binder.requirements import (
    EXTRA,
    PYTHON,
    RUNTIME,
    Entry,
    applies,
    asked_for,
    is_checkout,
    kernel_pins,
    read_entries,
    sources_digest,
    spelled,
)
from braggbook.errors import InputError, Issue, NetworkError
from braggbook.kernels.catalogue import LOCK, kernel_folders
from braggbook.kernels.lock import uv_command

PLATFORM = "x86_64-manylinux_2_39"  # glibc of Ubuntu 24.04
_LAST_WORDS = 2000


def needs_of(project: Path) -> list[Requirement]:
    """Returns what the environment needs besides the kernels."""
    return asked_for(project) if is_checkout(project) else own_needs()


def own_needs() -> list[Requirement]:
    """Returns what the Braggbook that is running and JupyterLab ask for, without markers."""
    found = []
    for text in metadata.requires("braggbook") or []:
        need = Requirement(text)
        if applies(need.marker, extras=[EXTRA]):
            need.marker = None
            found.append(need)
    return found


def resolve_requirements(project: Path, *, have: str) -> str:
    """Returns the text of ``binder/requirements.txt``.

    Args:
        project: With its kernels.
        have: The text that is there already, or nothing; its pins are kept where they do.

    Raises:
        InputError: There is no kernel, two kernels want different versions, or uv is missing.
        NetworkError: No index can be reached, or the pins do not go together.
    """
    pins = _kernels_pins(project)
    needs = own_needs()
    wanted = [*(f"{entry.name}=={entry.version}" for entry in pins.values()), *map(str, needs)]
    return spelled(read_entries(_compiled(wanted, have=have)), digest=sources_digest(project, needs))


def _kernels_pins(project: Path) -> dict[str, Entry]:
    """Returns the pins of all kernels, which must go together: one environment holds them all."""
    if not kernel_folders(project):
        raise InputError(
            "no kernel, so nobody knows what the notebooks need",
            where=str(project / "kernels"),
            wanted="a folder with kernel.toml and a lock",
            next_command="braggbook new kernel SLUG",
        )
    chosen: dict[str, tuple[str, Entry]] = {}
    issues = []
    for slug, entry in kernel_pins(project):
        first, known = chosen.setdefault(entry.name, (slug, entry))
        if known.version != entry.version:
            where = f"kernels/{slug}/{LOCK}, line {entry.line}"
            issues.append(Issue("another version", where, f"{known.name}=={known.version} (of {first})", entry.version))
    if issues:
        raise InputError(
            "kernels that do not go together: Binder has one environment for all",
            issues=issues,
            next_command=f"the same versions in both, by == in requirements.in; then braggbook kernel lock {slug}",
        )
    return {name: entry for name, (_, entry) in chosen.items()}


def _compiled(wanted: list[str], *, have: str) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "needs.in").write_text("".join(f"{line}\n" for line in wanted), encoding="utf-8")
        (folder / "pins.txt").write_text(have, encoding="utf-8")  # uv keeps what its output has already
        command = [*uv_command(), "pip", "compile", "needs.in", "--output-file", "pins.txt", "--generate-hashes"]
        command += ["--python-version", RUNTIME["python_full_version"], "--python-platform", PLATFORM]
        command += ["--no-annotate", "--no-header", "--quiet", "--color", "never", "--only-binary", ":all:"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        if done.returncode:
            raise NetworkError(
                "the pins could not be resolved",
                where="kernels/*/requirements.lock",
                wanted=f"pins that go together on Python {PYTHON}, and an index that answers",
                got=" ".join(done.stderr.split())[-_LAST_WORDS:],
                next_command="braggbook kernel lock SLUG, which locks for every Python; then braggbook binder write",
            )
        return (folder / "pins.txt").read_text(encoding="utf-8")
