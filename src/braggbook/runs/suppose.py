"""What would change if a constant of a published model had another value: the notebooks that use it, run with it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat

from braggbook.errors import BraggbookError
from braggbook.formats.result import constants_of
from braggbook.notebooks.catalogue import find_notebook, notebook_paths
from braggbook.notebooks.source import Notebook
from braggbook.progress import Progress
from braggbook.radiobiology.constants import supposing
from braggbook.runs.compare import Comparison, compare_results
from braggbook.runs.execute import execute
from braggbook.runs.folder import read_results, staging
from braggbook.runs.plan import plan_run
from braggbook.runs.run import run
from braggbook.settings import Settings


@dataclass(frozen=True)
class Consequence:
    """What a supposed constant does to one notebook.

    Attributes:
        notebook: Its slug.
        uses: Whether any of its results rests on the constant.
        moved: The results that change, beside what they were.
        problem: Why it could not be told, "" if it could.
    """

    notebook: str
    uses: bool
    moved: tuple[Comparison, ...] = ()
    problem: str = ""


def consequences(
    values: Mapping[str, float], *, settings: Settings, progress: Progress | None = None
) -> list[Consequence]:
    """Runs every notebook of the project that uses one of the constants, as it is and with the supposed values.

    The runs as they are answer from their folders when they are there. The supposed ones are not recorded: a number
    that rests on a supposition is nobody's result.

    Raises:
        UnknownName: There is no constant of such a name.
        ScienceError: A value is not finite.
    """
    found = []
    with supposing(values):  # refuses what cannot be supposed, before any notebook runs
        for slug in notebook_paths(settings.project):
            try:
                found.append(_consequence(slug, values, settings=settings, progress=progress))
            except BraggbookError as error:
                found.append(Consequence(slug, uses=True, problem=error.what))
    return found


def _consequence(
    slug: str, values: Mapping[str, float], *, settings: Settings, progress: Progress | None
) -> Consequence:
    plan = plan_run(find_notebook(slug, project=settings.project), {}, settings=settings)
    known = run(plan, settings=settings, progress=progress)
    if known.record.failure:
        return Consequence(slug, uses=True, problem=known.record.failure.message)
    results = read_results(known.folder).results
    if not set(values) & set(constants_of(results)):
        return Consequence(slug, uses=False)
    supposed = dataclasses.replace(plan, notebook=_supposing(plan.notebook, values))
    with staging(settings.runs) as staged:
        work = Path(staged) / "supposed"
        work.mkdir()
        execution = execute(supposed, work, settings=settings, progress=progress)
    if execution.failure:
        return Consequence(slug, uses=True, problem=execution.failure.message)
    rows = compare_results(results, execution.results, plan.notebook.front.braggbook.results)
    return Consequence(slug, uses=True, moved=tuple(row for row in rows if not row.identical))


def _supposing(notebook: Notebook, values: Mapping[str, float]) -> Notebook:
    node = copy.deepcopy(notebook.node)
    source = f"from braggbook.radiobiology.constants import suppose\n\nsuppose({dict(values)!r})"
    first = next(index for index, cell in enumerate(node.cells) if cell.cell_type == "code")
    node.cells.insert(first, nbformat.v4.new_code_cell(source))
    return dataclasses.replace(notebook, node=node)
