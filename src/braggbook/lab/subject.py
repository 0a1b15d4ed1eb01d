"""Which notebook is meant by the one that is open: itself, or the one that a link's copy was made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from braggbook.binder.opening import opened_from
from braggbook.lab.places import Places
from braggbook.notebooks.source import Notebook, read_notebook


@dataclass(frozen=True)
class Subject:
    """What the form, the runs and the buttons of a panel are about.

    Attributes:
        path: Of the notebook that runs.
        values: That its form begins with, other than defaults.
        source: How JupyterLab names that notebook, if the open one is a copy that a link made; else "".
    """

    path: Path
    values: dict[str, Any]
    source: str = ""

    def read(self) -> Notebook:
        """Reads the notebook.

        Raises:
            NotebookError: It does not keep to the contract.
        """
        return read_notebook(self.path)


def subject_of(places: Places, given: str) -> Subject:
    """Returns what a browser is about that shows a notebook.

    Args:
        places: What the server shows.
        given: The open notebook, as JupyterLab names it.

    Raises:
        UnknownName: There is none, or its source is gone.
        NotebookError: It is no notebook.
    """
    path = places.path(given)
    copy = opened_from(path) if path.suffix == ".ipynb" else None
    if copy is None:
        return Subject(path, {})
    return Subject(places.path(copy.source), copy.values, copy.source)
