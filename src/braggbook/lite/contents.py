"""What a reader of the site opens: notebooks, the modules beside them, and the small datasets that they read."""

from __future__ import annotations

import json
import mimetypes
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from braggbook.datasets.catalogue import Dataset, find_dataset
from braggbook.errors import InputError
from braggbook.formats.dataset import CARD_NAME
from braggbook.notebooks.catalogue import find_notebook, notebook_paths
from braggbook.notebooks.source import Notebook

TUTORIALS = "notebooks/tutorials"
LARGEST_BYTES = 5_000_000  # of a file of a dataset; a phone gets it with every visit
_KERNEL = {"display_name": "Python (Pyodide)", "language": "python", "name": "python"}
_DATE_VARIABLE = "SOURCE_DATE_EPOCH"  # https://reproducible-builds.org/specs/source-date-epoch/


@dataclass(frozen=True)
class Page:
    """A notebook of the site."""

    path: str  # in the site's files
    notebook: Notebook
    left_out: tuple[str, ...]  # datasets with files that are too large, or that lie elsewhere


@dataclass(frozen=True)
class Contents:
    """The files of the site by their paths, and which of them are notebooks to open."""

    files: dict[str, bytes]
    pages: tuple[Page, ...]
    changed: str = ""  # date and time that readers see, in UTC


def collect(project: Path, names: Iterable[str] = ()) -> Contents:
    """Collects notebooks with what they read.

    Args:
        project: The folder that holds ``notebooks/`` and ``datasets/``.
        names: Slugs or paths of notebooks, or folders; by default the tutorials.

    Raises:
        InputError: There is nothing to put into the site, or something lies outside the project.
        NotebookError: A notebook does not keep to the contract.
        DatasetError: A dataset's card cannot be used.
    """
    files: dict[str, bytes] = {}
    pages = []
    for path in _paths(project, list(names)):
        notebook = find_notebook(str(path), project=project)
        place = _place(path, project)
        files[place] = _for_browser(path)
        for module in sorted(path.parent.glob("*.py")):  # a lesson of one's own
            files[_place(module, project)] = module.read_bytes()
        datasets = [find_dataset(reference, project=project) for reference in notebook.front.braggbook.datasets]
        for dataset in datasets:
            files |= _dataset_files(dataset, project)
        left_out = tuple(dataset.slug for dataset in datasets if not _is_whole(dataset, project, files))
        pages.append(Page(place, notebook, left_out))
    seconds = os.environ.get(_DATE_VARIABLE) or max((project / path).stat().st_mtime for path in files)
    changed = datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Contents(dict(sorted(files.items())), tuple(pages), changed)


def _paths(project: Path, names: list[str]) -> list[Path]:
    found: list[Path] = []
    for name in names or [str(project / TUTORIALS)]:
        folder = Path(name)
        if folder.is_dir() or not names:
            found += sorted(
                path for path in folder.absolute().rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts
            )
        else:
            found.append(find_notebook(name, project=project).path)
    if not found:
        raise InputError(
            "no notebooks for the site",
            where=", ".join(names) or TUTORIALS,
            got=f"{len(notebook_paths(project))} notebooks elsewhere in the project",
            next_command="braggbook lite build --to FOLDER --notebooks NOTEBOOK|FOLDER   (braggbook list notebook)",
        )
    return list(dict.fromkeys(found))


def _for_browser(path: Path) -> bytes:
    """Returns a notebook that names the browser's kernel; with any other name its reader is asked which to take."""
    node = json.loads(path.read_text(encoding="utf-8"))
    node["metadata"] = {**node.get("metadata", {}), "kernelspec": _KERNEL}
    return (json.dumps(node, indent=1, ensure_ascii=False) + "\n").encode()


def _place(path: Path, project: Path) -> str:
    try:
        return path.resolve().relative_to(project.resolve()).as_posix()
    except ValueError:
        wanted = f"a path in the project {project}"
        raise InputError("outside the project", where=str(path), wanted=wanted, next_command="cp it there") from None


def _dataset_files(dataset: Dataset, project: Path) -> dict[str, bytes]:
    paths = [dataset.folder / CARD_NAME, *(dataset.folder / file.path for file in dataset.card.files)]
    small = [path for path in paths if path.is_file() and path.stat().st_size <= LARGEST_BYTES]
    return {_place(path, project): path.read_bytes() for path in small}


def _is_whole(dataset: Dataset, project: Path, files: dict[str, bytes]) -> bool:
    return all(_place(dataset.folder / file.path, project) in files for file in dataset.card.files)


def listings(files: dict[str, bytes], *, changed: str) -> dict[str, bytes]:
    """Returns what JupyterLite reads to list each folder, ``<folder>/all.json``, as Jupyter's contents API has it."""
    folders = {parent for path in files for parent in PurePosixPath(path).parents}
    found = {}
    for folder in sorted(folders):
        inside = [
            _described(str(path), None, changed) for path in sorted(folders) if path != folder and path.parent == folder
        ]
        inside += [
            _described(path, files[path], changed) for path in sorted(files) if PurePosixPath(path).parent == folder
        ]
        listing = {
            **_described("" if str(folder) == "." else str(folder), None, changed),
            "format": "json",
            "content": inside,
        }
        found[(folder / "all.json").as_posix()] = (json.dumps(listing, indent=1) + "\n").encode()
    return found


def _described(path: str, data: bytes | None, changed: str) -> dict[str, Any]:
    kind = "directory" if data is None else "notebook" if path.endswith(".ipynb") else "file"
    return {
        "name": PurePosixPath(path).name,
        "path": path,
        "type": kind,
        "format": None,
        "content": None,
        "mimetype": None if kind != "file" else mimetypes.guess_type(path)[0] or "text/plain",
        "size": None if data is None else len(data),
        "created": changed,
        "last_modified": changed,
        "writable": True,
    }
