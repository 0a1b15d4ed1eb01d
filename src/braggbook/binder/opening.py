"""What a parameterised launch link opens: the notebook with its values, as a copy that a person may work in.

JupyterLab's server calls :func:`open_query` for ``<base>/braggbook/open?notebook=PATH&p.NAME=VALUE`` and redirects to
``lab/tree/`` and the path that it returns. The notebook itself stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell

from braggbook.binder.launch import read_open_query
from braggbook.errors import InputError, NotebookError
from braggbook.files import canonical_json, sha256_bytes, storage, write_text
from braggbook.notebooks.source import INJECTED_TAG, PARAMETERS_TAG, Notebook, read_node, read_notebook

WORK = "work"  # where copies go, below the server's root
_KEY = "braggbook"  # of the copy's metadata


@dataclass(frozen=True)
class Opened:
    """A notebook to open: its path below the root, the source that it was made of, and the values that it got."""

    path: str
    source: str
    values: dict[str, Any]


def open_query(root: Path, query: str) -> Opened:
    """Does what a link's query says; see :func:`open_notebook` for the errors.

    Args:
        root: The folder that the server shows.
        query: As it stands behind the question mark.
    """
    path, values = read_open_query(query)
    return open_notebook(root, path, values)


def open_notebook(root: Path, path: str, values: Mapping[str, str]) -> Opened:
    """Returns the notebook to open: a copy with the values, or itself where all values are defaults.

    A copy that is already there is not written again, because somebody may have worked in it.

    Args:
        root: The folder that the server shows.
        path: Of an experiment notebook below it, with ``/``.
        values: Of its parameters, as text (``"0.2"``, ``"200 cGy"``).

    Raises:
        InputError: The path leads elsewhere.
        UnknownName: There is no such notebook.
        NotebookError: It is no experiment notebook, or not one of Python.
        ParameterError: It does not accept the values; all findings are listed, and nothing is written.
        StorageError: The disk refuses.
    """
    notebook = read_notebook(_inside(root, path))
    resolved = notebook.parameters.resolve(values, where=path)
    defaults = notebook.parameters.defaults
    changed = {name: value for name, value in resolved.items() if value != defaults[name]}
    if not changed:
        return Opened(path, path, {})
    _require_python(notebook, path)
    digest = sha256_bytes(canonical_json({"notebook": notebook.identity, "values": changed}))
    copy = PurePosixPath(WORK) / f"{notebook.slug}-{digest[:12]}.ipynb"
    target = root / copy
    if not target.exists():
        with storage(target):
            target.parent.mkdir(exist_ok=True)
        write_text(target, nbformat.writes(_with_values(notebook, changed, source=path)) + "\n")
    return Opened(copy.as_posix(), path, changed)


def opened_from(path: Path) -> Opened | None:
    """Returns what a copy was made of, or None for any other notebook.

    Raises:
        UnknownName: There is no such file.
        NotebookError: It is no notebook.
    """
    said = read_node(path).metadata.get(_KEY, {})
    if not isinstance(said, dict) or not isinstance(said.get("opened_from"), str):
        return None
    return Opened(f"{WORK}/{path.name}", said["opened_from"], dict(said.get("parameters", {})))


def _inside(root: Path, path: str) -> Path:
    parts = PurePosixPath(path).parts
    wanted = "the path of a notebook below the folder that JupyterLab shows"
    if not path.endswith(".ipynb") or "\\" in path or any(part.startswith((".", "/")) for part in parts):
        raise InputError("not the path of a notebook", where="notebook", wanted=wanted, got=path)
    found = (root / path).resolve()
    if not found.is_relative_to(root.resolve()):  # by a link in the file system
        raise InputError("not the path of a notebook", where="notebook", wanted=wanted, got=path)
    return found


def _require_python(notebook: Notebook, path: str) -> None:
    language = notebook.node.metadata.get("kernelspec", {}).get("language") or "python"
    if language != "python":
        wanted = "a notebook of Python; of others `braggbook run` sets the parameters"
        raise NotebookError("cannot be opened with values", where=path, wanted=wanted, got=str(language))


def _with_values(notebook: Notebook, values: Mapping[str, Any], *, source: str) -> nbformat.NotebookNode:
    """Returns the notebook with a cell behind the parameters cell, as papermill marks it."""
    node = nbformat.from_dict(notebook.node)
    lines = [f"# Parameters of the link that opened this copy of {source}"]
    lines += [f"{name} = {value!r}" for name, value in values.items()]
    cell = new_code_cell("\n".join(lines), id="given-values", metadata={"tags": [INJECTED_TAG]})
    at = next(n for n, one in enumerate(node.cells) if PARAMETERS_TAG in one.metadata.get("tags", []))
    node.cells.insert(at + 1, cell)
    node.metadata[_KEY] = {"opened_from": source, "parameters": dict(values)}
    return node
