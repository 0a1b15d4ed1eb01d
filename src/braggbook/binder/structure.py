"""Which files there are: what repo2docker would refuse, ignore, or take instead of ``binder/``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from braggbook.binder.files import EXECUTABLE, FOLDER, HIDDEN, REQUIREMENTS, RUNTIME, fixed_files
from braggbook.binder.repository import mode_in_git
from braggbook.binder.requirements import PYTHON
from braggbook.errors import Issue

# With one of these repo2docker takes another way to build, and most of binder/ counts for nothing.
_OTHER_WAYS = {
    "Dockerfile": "everything else in the folder is ignored",
    "environment.yml": "runtime.txt and requirements.txt are ignored",
    "environment.yaml": "repo2docker reads environment.yml alone, and would not see it",
    "Pipfile": "requirements.txt is ignored",
    "Pipfile.lock": "requirements.txt is ignored",
    "default.nix": "Nix builds the image instead",
    "install.R": "R is installed, and its packages without versions",
    "DESCRIPTION": "R is installed",
    "Project.toml": "Julia is installed",
    "setup.py": "pip installs the folder, with dependencies that no hash holds",
    "pyproject.toml": "not read where there is a requirements.txt",
}


def structure_issues(project: Path) -> Iterator[Issue]:
    """Yields what is wrong with which files there are, and with the two that hold one line each."""
    if not (project / FOLDER).is_dir():
        yield Issue("missing", f"{FOLDER}/", "the folder that `braggbook binder write` makes")
        return
    if (project / HIDDEN).exists():
        yield Issue("two folders for Binder", f"{HIDDEN}/", f"{FOLDER}/ alone: repo2docker stops when it finds both")
    for name in sorted(path.name for path in (project / FOLDER).iterdir()):
        if name in _OTHER_WAYS:
            yield Issue("builds in another way", f"{FOLDER}/{name}", "none", _OTHER_WAYS[name])
    for name in sorted({*fixed_files(project), REQUIREMENTS}):
        if not (project / FOLDER / name).is_file():
            yield Issue("missing", f"{FOLDER}/{name}", "`braggbook binder write`")
    for path in sorted((project / FOLDER).glob("braggbook-*.whl")):
        if path.name not in fixed_files(project):
            wanted = f"git rm {FOLDER}/{path.name}: postBuild installs another"
            yield Issue("a wheel that nobody installs", f"{FOLDER}/{path.name}", wanted)
    yield from _modes(project)
    yield from _runtime(project / FOLDER / RUNTIME)


def _modes(project: Path) -> Iterator[Issue]:
    for name in EXECUTABLE:
        path = project / FOLDER / name
        if path.is_file() and not path.stat().st_mode & 0o100:
            yield Issue("not executable", f"{FOLDER}/{name}", f"chmod +x {FOLDER}/{name}")
        elif (mode := mode_in_git(path)) not in ("", "100755"):  # what Binder clones, whatever the disk here says
            yield Issue(
                "not executable in git", f"{FOLDER}/{name}", f"git update-index --chmod=+x {FOLDER}/{name}", mode
            )


def _runtime(path: Path) -> Iterator[Issue]:
    text = path.read_text(encoding="utf-8").strip() if path.is_file() else f"python-{PYTHON}"
    if text != f"python-{PYTHON}":
        yield Issue("another Python", f"{FOLDER}/{RUNTIME}, line 1", f"python-{PYTHON}, which the pins are for", text)


def drift_issues(project: Path) -> Iterator[Issue]:
    """Yields the files that this version of Braggbook would write otherwise."""
    for name, data in fixed_files(project).items():
        path = project / FOLDER / name
        if path.is_file() and path.read_bytes() != data:
            line = "" if name.endswith(".whl") else f", line {_first_difference(path.read_bytes(), data)}"
            yield Issue("has drifted", f"{FOLDER}/{name}{line}", "what `braggbook binder write` writes")


def _first_difference(one: bytes, other: bytes) -> int:
    left, right = one.splitlines(keepends=True), other.splitlines(keepends=True)
    same = next((number for number, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]), None)
    return 1 + (min(len(left), len(right)) if same is None else same)
