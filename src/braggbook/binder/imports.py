"""Notebooks against the environment: their kernels are there, and what their cells import is pinned."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name

from braggbook.binder.pins import read_binder
from braggbook.binder.requirements import Entry
from braggbook.errors import BraggbookError, Issue, closest
from braggbook.kernels.catalogue import kernel_folders, read_kernel
from braggbook.notebooks.source import read_notebook

_OWN = "braggbook"
_INSTALLS = re.compile(r"^\s*[%!]\s*(?:(?:pip|uv|conda|mamba)\b.*\binstall\b|apt(?:-get)?\b).*", re.MULTILINE)


def notebook_files(project: Path) -> list[Path]:
    """Returns every notebook that a person may open: of ``notebooks/`` and of challenges."""
    found = [*project.glob("notebooks/**/*.ipynb"), *project.glob("challenges/*/*.ipynb")]
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(project).parts))


def notebook_issues(project: Path) -> Iterator[Issue]:
    """Yields the notebooks whose kernel or imports Binder's environment does not have, with cell and line."""
    entries = {entry.name: entry for entry in read_binder(project) if entry.applies}
    kernels = {slug: _language(folder) for slug, folder in kernel_folders(project).items()}
    homes = import_homes(entries)
    for path in notebook_files(project):
        yield from _notebook(path, path.relative_to(project).as_posix(), kernels=kernels, homes=homes)
    if "ipykernel" not in entries:
        yield Issue("no kernel python3", "binder/requirements.txt", "ipykernel, which brings it", "no such pin")


def _language(folder: Path) -> str:
    try:
        return read_kernel(folder).card.language
    except BraggbookError:  # which `braggbook check` reports
        return "python"


def _notebook(path: Path, name: str, *, kernels: Mapping[str, str], homes: Mapping[str, str]) -> Iterator[Issue]:
    try:
        notebook = read_notebook(path)
    except BraggbookError as error:
        yield Issue(error.what, name, "an experiment notebook", "; ".join(map(str, error.issues)) or error.got)
        return
    slug = notebook.front.braggbook.kernel
    if slug not in kernels:
        yield Issue("a kernel that is not there", f"{name}, front matter", closest(slug, kernels), slug)
    elif kernels[slug] != "python":
        yield Issue("a kernel that Binder does not have", f"{name}, front matter", "one of Python", slug)
        return
    if notebook.node.metadata.get("kernelspec", {}).get("name") != "python3":
        got = str(notebook.node.metadata.get("kernelspec", {}).get("name"))
        yield Issue("a kernelspec that Binder does not have", f"{name}, metadata.kernelspec.name", "python3", got)
    modules = {item.stem for item in path.parent.glob("*.py")}
    beside = modules | {item.parent.name for item in path.parent.glob("*/*.py")}
    for index, cell in enumerate(notebook.node.cells, 1):
        if cell.cell_type == "code":
            yield from _cell(cell.source, f"{name}, cell {index}", homes=homes, beside=beside)


def _cell(source: str, where: str, *, homes: Mapping[str, str], beside: set[str]) -> Iterator[Issue]:
    for match in _INSTALLS.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        yield Issue("installs something", f"{where}, line {line}", "a line in its kernel's requirements.in", match[0])
    for module, line in imports_of(source):
        top = module.partition(".")[0]
        if top in beside or top == _OWN or top in sys.stdlib_module_names:
            continue
        if top not in homes:
            wanted = "a line in its kernel's requirements.in; then braggbook kernel lock and braggbook binder write"
            yield Issue("imports what is not pinned", f"{where}, line {line}", wanted, module)


def imports_of(source: str) -> list[tuple[str, int]]:
    """Returns the modules that a cell imports anywhere, with their lines; IPython's own lines are passed over."""
    plain = re.sub(r"^([ \t]*)[%!].*", r"\1pass", source, flags=re.MULTILINE)
    try:
        tree = ast.parse(plain)
    except (SyntaxError, ValueError):  # which `braggbook check` reports
        return []
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append((node.module, node.lineno))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("import_module", "importlib.import_module"):
            found += [(str(first.value), node.lineno) for first in node.args[:1] if isinstance(first, ast.Constant)]
    return sorted(found, key=lambda one: one[1])


def import_homes(entries: Mapping[str, Entry]) -> dict[str, str]:
    """Returns the pinned distribution that each top-level module comes of.

    Where a distribution is installed here, what it says of itself counts; of others, that a module is mostly called as
    its distribution is.
    """
    homes = {name.replace("-", "_"): name for name in entries}
    for module, names in _installed_modules().items():
        for name in map(canonicalize_name, names):
            if name in entries:
                homes[module] = name
    return homes


@cache  # every distribution's list of files is read
def _installed_modules() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()
