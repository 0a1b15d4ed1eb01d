"""Experiments and projects made by code, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from braggbook.kernels.scaffold import new_kernel

KERNEL = "radiobiology"
FRONT: dict[str, Any] = {
    "title": "A test experiment",
    "authors": [{"name": "Ada Lovelace", "orcid": "0000-0002-1825-0097"}],
    "license": "CC-BY-4.0",
}


def make_project(folder: Path) -> Path:
    """Makes a project with one kernel, which the current environment satisfies."""
    folder.mkdir(parents=True, exist_ok=True)
    new_kernel(KERNEL, project=folder)
    return folder


def write_experiment(
    folder: Path,
    slug: str,
    *,
    code: Sequence[str],
    parameters: str = "",
    results: Mapping[str, Mapping[str, Any]] | None = None,
    front: Mapping[str, Any] | None = None,
) -> Path:
    """Writes an experiment notebook.

    Args:
        folder: Where the notebook goes; made if it is not there.
        slug: Its name.
        code: The code cells behind the parameters cell.
        parameters: The parameters cell.
        results: The declared results, ``{"x": {"unit": "Gy"}}``.
        front: More of the ``braggbook:`` part of the front matter.
    """
    part = {"kernel": KERNEL, "results": dict(results or {"x": {"unit": "1"}}), **(front or {})}
    text = yaml.safe_dump({**FRONT, "braggbook": part}, sort_keys=False, allow_unicode=True)
    cells = [
        new_markdown_cell(f"---\n{text}---\n\n# {FRONT['title']}", id="front"),
        new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]}),
        *(new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(code, 1)),
    ]
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    node = new_notebook(cells=cells, metadata={"kernelspec": kernelspec, "language_info": {"name": "python"}})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{slug}.ipynb"
    path.write_text(str(nbformat.writes(node)) + "\n", encoding="utf-8")
    return path
