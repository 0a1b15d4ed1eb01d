"""What differs between two runs, and the results of many runs in one table."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from braggbook.errors import BraggbookError, InputError, Issue
from braggbook.formats.result import ScalarResult, constants_of
from braggbook.formats.run import RunRecord
from braggbook.notebooks.source import Notebook, read_notebook
from braggbook.runs.compare import Comparison, compare_results
from braggbook.runs.folder import read_record, read_results
from braggbook.runs.record import ENVIRONMENT, SOURCE_FOLDER


@dataclass(frozen=True)
class Difference:
    """One thing in which two runs differ."""

    part: str  # notebook, parameters, datasets, packages, python, braggbook, seed, constants or results
    name: str
    first: str
    second: str


def diff_runs(first: Path, second: Path) -> tuple[list[Difference], list[str]]:
    """Compares two run folders.

    Returns:
        Every difference, and the notebook's changed lines as a unified diff.

    Raises:
        RecordError: One of them is no run.
    """
    one, other = read_record(first), read_record(second)
    notebooks = _notebook(first, one), _notebook(second, other)
    found = [
        *_identity(one, other),
        *_packages(first, second),
        *_constants(first, second),
        *_results(first, second, notebooks),
    ]
    return found, _changed_lines(*notebooks)


def _notebook(folder: Path, record: RunRecord) -> Notebook:
    return read_notebook(folder / SOURCE_FOLDER / f"{record.notebook}.ipynb")


def _identity(one: RunRecord, other: RunRecord) -> list[Difference]:
    a, b = one.identity, other.identity
    pairs: list[tuple[str, str, Any, Any]] = [
        ("notebook", "name", one.notebook, other.notebook),
        ("notebook", "source", a.notebook, b.notebook),
        ("kernel", "lock", a.kernel_lock, b.kernel_lock),
        ("python", "version", a.python, b.python),
        ("braggbook", "code", a.braggbook, b.braggbook),
        ("seed", "seed", a.seed, b.seed),
        ("verdict", "verdict", one.verdict, other.verdict),
    ]
    for part, first, second in (
        ("parameters", a.parameters, b.parameters),
        ("datasets", a.datasets, b.datasets),
    ):
        pairs += [(part, name, first.get(name), second.get(name)) for name in {**first, **second}]
    return [Difference(part, name, _text(x), _text(y)) for part, name, x, y in pairs if x != y]


def _packages(first: Path, second: Path) -> list[Difference]:
    a, b = (json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))["packages"] for folder in (first, second))
    names = sorted({**a, **b})
    return [Difference("packages", n, _text(a.get(n)), _text(b.get(n))) for n in names if a.get(n) != b.get(n)]


def _constants(first: Path, second: Path) -> list[Difference]:
    a, b = (constants_of(read_results(folder).results) for folder in (first, second))
    names = sorted({**a, **b})
    return [Difference("constants", n, _text(a.get(n)), _text(b.get(n))) for n in names if a.get(n) != b.get(n)]


def _results(first: Path, second: Path, notebooks: tuple[Notebook, Notebook]) -> list[Difference]:
    specs = {**notebooks[1].front.braggbook.results, **notebooks[0].front.braggbook.results}
    rows = compare_results(read_results(first).results, read_results(second).results, specs)
    return [Difference("results", row.name, row.expected, _actual(row)) for row in rows if not row.identical]


def _actual(row: Comparison) -> str:
    return f"{row.actual} ({row.where}: {row.difference})" if row.where else f"{row.actual} ({row.difference})"


def _changed_lines(one: Notebook, other: Notebook) -> list[str]:
    first, second = ([*notebook.front_text.splitlines(), *_code(notebook)] for notebook in (one, other))
    return list(difflib.unified_diff(first, second, "first", "second", lineterm="", n=1))


def _code(notebook: Notebook) -> list[str]:
    return [
        line
        for number, cell in enumerate(notebook.code_cells, 1)
        for line in (f"# code cell {number}", *cell.source.splitlines())
    ]


def _text(value: Any) -> str:
    if value is None:
        return "–"
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{text[:12]}…" if len(text) == 64 and set(text) <= set("0123456789abcdef") else text


def collect_runs(folders: list[Path]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Gathers the scalar results of many runs.

    Returns:
        A row for each run in the order of their ends (id, notebook, the parameters, each result with its uncertainty
        and limits), and the unit of each result.

    Raises:
        InputError: Some of them are no runs, or one result has several units; all findings are listed.
    """
    rows: list[tuple[str, dict[str, Any]]] = []
    units: dict[str, str] = {}
    issues: list[Issue] = []
    for folder in folders:
        try:
            record, results = read_record(folder), read_results(folder).results
        except BraggbookError as error:
            issues.append(Issue(error.what, folder.name, error.wanted, error.got))
            continue
        row: dict[str, Any] = {
            "run": record.id,
            "notebook": record.notebook,
            "verdict": record.verdict,
            **record.parameters,
        }
        for result in results.values():
            if isinstance(result, ScalarResult):
                row |= _columns(result)
                if units.setdefault(result.name, result.unit) != result.unit:
                    issues.append(
                        Issue(
                            "one result in two units",
                            f"{folder.name} {result.name}",
                            units[result.name],
                            result.unit,
                        )
                    )
        rows.append((record.ended, row))
    if issues:
        raise InputError("runs that cannot be collected", issues=issues, next_command="braggbook list run")
    return [row for _, row in sorted(rows, key=lambda item: item[0])], units


def _columns(result: ScalarResult) -> dict[str, Any]:
    columns: dict[str, Any] = {result.name: result.value}
    if result.uncertainty is not None:
        columns[f"{result.name}_uncertainty"] = result.uncertainty
    if result.interval is not None:
        columns[f"{result.name}_lower"], columns[f"{result.name}_upper"] = (
            result.interval.lower,
            result.interval.upper,
        )
    return columns
