"""The folder ``binder/``: what each of its files says, and how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from braggbook.binder.own import resolve_requirements
from braggbook.binder.requirements import PYTHON, is_checkout, make_requirements
from braggbook.binder.wheel import lab_wheel
from braggbook.files import storage, write_bytes
from braggbook.kernels.catalogue import kernel_folders

FOLDER, HIDDEN = "binder", ".binder"
REQUIREMENTS, RUNTIME, APT, POST_BUILD, START = "requirements.txt", "runtime.txt", "apt.txt", "postBuild", "start"
OVERRIDES, BADGE = "overrides.json", "badge.svg"
EXECUTABLE = (POST_BUILD, START)
APT_NAMES = ("libgcc-s1", "libgomp1", "libstdc++6", "zlib1g")  # what the wheels load and do not bring with them


_INSTALL = "@INSTALL@"  # where postBuild has what only one kind of project needs
_OF_A_CHECKOUT, _OF_ONES_OWN = "install_checkout", "install_wheel"


def fixed_files(project: Path) -> dict[str, bytes]:
    """Returns the files that nothing is resolved for, by name: this version of Braggbook and the kernels decide.

    Args:
        project: A checkout of Braggbook, or a project of one's own, whose folder also gets Braggbook's wheel.
    """
    templates = files("braggbook.binder") / "templates"
    own = not is_checkout(project)
    copied = {name: (templates / name).read_bytes() for name in (POST_BUILD, START, OVERRIDES, BADGE)}
    install = (templates / (_OF_ONES_OWN if own else _OF_A_CHECKOUT)).read_text(encoding="utf-8").rstrip("\n")
    made = {**copied, RUNTIME: f"python-{PYTHON}\n".encode(), APT: _apt(project).encode()}
    if own:
        wheel = lab_wheel()
        made[wheel.name] = wheel.data
        install = install.replace("@WHEEL@", f"{FOLDER}/{wheel.name}")
    return {**made, POST_BUILD: copied[POST_BUILD].replace(_INSTALL.encode(), install.encode())}


def _apt(project: Path) -> str:
    """Returns what the wheels load, and what the kernels name in an ``apt.txt`` of their own, with its comments."""
    lines = {name: name for name in APT_NAMES}
    for folder in kernel_folders(project).values():
        text = (folder / APT).read_text(encoding="utf-8") if (folder / APT).is_file() else ""
        for line in text.splitlines():
            if name := line.partition("#")[0].strip():
                lines.setdefault(name, line.strip())
    return "".join(f"{lines[name]}\n" for name in sorted(lines))


def binder_files(project: Path) -> dict[str, bytes]:
    """Returns every file of ``binder/`` by name.

    Raises:
        InputError: There is no kernel, kernels do not go together, or uv is missing.
        NetworkError: uv could not say what it resolved.
    """
    if is_checkout(project):
        return {**fixed_files(project), REQUIREMENTS: make_requirements(project).encode()}
    path = project / FOLDER / REQUIREMENTS
    have = path.read_text(encoding="utf-8") if path.is_file() else ""
    return {**fixed_files(project), REQUIREMENTS: resolve_requirements(project, have=have).encode()}


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
