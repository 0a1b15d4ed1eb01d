"""Which notebooks a project has: every ``.ipynb`` below ``notebooks/``, found by looking."""

from __future__ import annotations

from pathlib import Path

from braggbook.errors import DuplicateName, unknown_name
from braggbook.notebooks.source import Notebook, read_notebook, slug_of


def notebook_paths(project: Path) -> dict[str, Path]:
    """Returns the path of every notebook by its slug: its file's name, without the number that orders a series.

    Raises:
        DuplicateName: Two notebooks have one slug; the message names both.
    """
    found: dict[str, Path] = {}
    for path in sorted((project / "notebooks").rglob("*.ipynb")):
        if any(part.startswith(".") for part in path.relative_to(project).parts):
            continue
        slug = slug_of(path)
        if slug in found:
            first, second = (p.relative_to(project).as_posix() for p in (found[slug], path))
            raise DuplicateName(f"two notebooks are named {slug!r}", got=f"{first} and {second}")
        found[slug] = path
    return found


def find_notebook(name: str, *, project: Path) -> Notebook:
    """Reads a notebook by its slug in the project, or by a path.

    Raises:
        UnknownName: There is none; the closest names are given.
        NotebookError: It does not keep to the contract.
    """
    if name.endswith(".ipynb") or "/" in name or Path(name).is_file():
        return read_notebook(Path(name).absolute())
    paths = notebook_paths(project)
    if name not in paths:
        raise unknown_name("notebook", name, paths, next_command="braggbook list notebook")
    return read_notebook(paths[name])
