"""Runs, results, verdicts and datasets as the panel shows them: plain values, no HTML."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from braggbook.datasets.arrays import is_arrays
from braggbook.datasets.catalogue import Dataset, list_datasets
from braggbook.errors import BraggbookError
from braggbook.formats.dataset import DatasetFile
from braggbook.formats.result import FigureResult, Result, ScalarResult, TableResult
from braggbook.formats.run import RunRecord
from braggbook.notebooks.show import column_title, interval_text, quantity_text, short_text
from braggbook.runs.folder import RECORD, read_record, read_results, run_folders
from braggbook.runs.record import FIGURES
from braggbook.runs.verify import Verification

MOST_RUNS = 30  # of one notebook, the newest
_MOST_READ = 2000  # records that are opened to find them: a sweep leaves many behind
_MOST_FILES = 20  # of a dataset: a series of images has hundreds
_MOST_ROWS = 50  # of a table; the run's folder has all
_DRAWINGS = (".svg", ".png")
VERDICTS = {
    "identical": "Repeated from its record alone, every result came out the same to the last digit.",
    "within tolerance": "Repeated from its record alone, every result lies within the tolerance that is declared.",
    "drifted": "Repeated, a result lies outside of its tolerance, or a file of the record was changed.",
    "not verifiable": "It could not be repeated, so nothing is said about its results.",
}


def runs_of(slug: str, runs: Path, *, identity: str = "") -> list[dict[str, Any]]:
    """Returns the newest runs of a notebook, newest first.

    Args:
        slug: The notebook's name.
        runs: The folder of all runs.
        identity: The notebook as it is now: its runs under an earlier name are its own too.
    """
    newest = sorted(run_folders(runs), key=_changed, reverse=True)[:_MOST_READ]
    found: list[dict[str, Any]] = []
    for folder in newest:
        if len(found) < MOST_RUNS and _is_of(folder, slug, identity):
            found += _run_row(folder)
    return sorted(found, key=lambda row: str(row["ended"]), reverse=True)


def _changed(folder: Path) -> float:
    try:
        return (folder / RECORD).stat().st_mtime
    except OSError:
        return 0.0


def _is_of(folder: Path, slug: str, identity: str) -> bool:
    """Tells whose run it is, without checking all of a record that may be another notebook's."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
        return bool(record["notebook"] == slug or record["identity"]["notebook"] == identity)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _run_row(folder: Path) -> list[dict[str, Any]]:
    try:
        record, results = read_record(folder), read_results(folder).results
    except BraggbookError:
        return []
    first = [f"{r.name} = {quantity_text(r)}" for r in results.values() if isinstance(r, ScalarResult)]
    return [{
        "id": record.id, "verdict": record.verdict, "ended": record.ended, "identity": record.identity.notebook,
        "parameters": record.parameters, "results": first[:3],
    }]  # fmt: skip


def run_shown(folder: Path) -> dict[str, Any]:
    """Returns a run: how it ended, its parameters, every result.

    Raises:
        RecordError: It is no run.
    """
    record, results = read_record(folder), read_results(folder).results
    rows = [result_shown(result, folder) for result in results.values()]
    order = {"scalar": 0, "figure": 1, "table": 2}
    return {
        **_about(record),
        "results": sorted(rows, key=lambda row: order.get(row["kind"], 3)),
    }


def _about(record: RunRecord) -> dict[str, Any]:
    failure = record.failure
    return {
        "id": record.id,
        "notebook": record.notebook,
        "title": record.title,
        "verdict": record.verdict,
        "failure": failure.message if failure else "",
        "issues": [_issue(issue) for issue in failure.issues] if failure else [],
        "parameters": record.parameters,
        "ended": record.ended,
        "seconds": sum(cell.seconds or 0 for cell in record.cells),
        "identity": record.identity.notebook,
    }


def _issue(issue: dict[str, str]) -> str:
    got = issue.get("got") or "nothing"
    return f"{issue.get('where', '')}: {issue.get('what', '')}; wanted {issue.get('wanted', '')}, got {got}"


def result_shown(result: Result, folder: Path) -> dict[str, Any]:
    """Returns one result: a number with unit and interval, the names of a figure's drawings, the rows of a table."""
    shown: dict[str, Any] = {"name": result.name, "kind": result.kind, "text": short_text(result), "interval": ""}
    if isinstance(result, ScalarResult):
        shown |= {"text": quantity_text(result), "interval": interval_text(result)}
    elif isinstance(result, FigureResult):
        drawn = [f"{result.name}{ending}" for ending in _DRAWINGS]
        shown |= {"alt": result.alt, "files": [name for name in drawn if (folder / FIGURES / name).is_file()]}
    elif isinstance(result, TableResult):
        shown["titles"] = [column_title(column.name, column.unit) for column in result.columns]
        columns = [column.values[:_MOST_ROWS] for column in result.columns]
        shown["rows"] = [[_cell(value) for value in row] for row in zip(*columns, strict=True)]
        shown["count"] = len(result.columns[0].values) if result.columns else 0
    return shown


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def verification_shown(found: Verification) -> dict[str, Any]:
    """Returns a verification: the verdict in words, and a row for every result."""
    rows = [
        {
            "name": row.name,
            "expected": row.expected,
            "actual": row.actual,
            "tolerance": row.tolerance,
            "verdict": "identical" if row.identical else "within tolerance" if row.same else "drifted",
            "difference": f"{row.where} {row.difference}".strip(),
        }
        for row in found.rows
    ]
    return {
        "run": found.run,
        "verdict": found.verdict,
        "words": VERDICTS[found.verdict],
        "reason": found.reason,
        "rows": rows,
        "files": [str(issue) for issue in found.files],
        "notes": list(found.notes),
    }


def datasets_of(project: Path) -> list[dict[str, Any]]:
    """Returns every dataset of a project by what its card says; one whose card cannot be used says why."""
    return [
        dataset_shown(one) if isinstance(one, Dataset) else {"slug": slug, "title": slug, "error": str(one)}
        for slug, one in list_datasets(project).items()
    ]


def dataset_shown(dataset: Dataset) -> dict[str, Any]:
    """Returns a dataset: its card in words, its files with their columns, and the line that opens it."""
    card = dataset.card
    files = [
        {
            "path": file.path,
            "bytes": file.bytes,
            "columns": [
                {"name": name, "type": column.type, "unit": column.unit or "", "meaning": column.meaning}
                for name, column in file.columns.items()
            ],
        }
        for file in card.files[:_MOST_FILES]
    ]
    return {
        "slug": dataset.slug,
        "reference": dataset.reference,
        "title": card.title,
        "abstract": (card.abstract or "").strip(),
        "license": card.license,
        "provenance": card.provenance,
        "sources": [{"citation": one.citation, "doi": one.doi or ""} for one in card.sources],
        "bytes": sum(file.bytes for file in card.files),
        "files": files,
        "count": len(card.files),
        "lines": load_lines(dataset),
    }


def load_lines(dataset: Dataset) -> list[str]:
    """Returns the lines of code that open a dataset: one for each table or file of arrays, else one for all files."""
    opened = [file for file in dataset.card.files if file.columns or is_arrays(file)]
    if not opened:
        return [f'{dataset.slug} = bb.load("{dataset.reference}", to="paths")']
    several = len(dataset.card.files) > 1
    return [_load_line(dataset, file, named=several) for file in opened[:_MOST_FILES]]


def _load_line(dataset: Dataset, file: DatasetFile, *, named: bool) -> str:
    name = re.sub(r"\W", "_", Path(file.path).stem) if named else dataset.slug
    more = f", file={json.dumps(file.path, ensure_ascii=False)}" if named else ""
    more += ', to="xarray"' if is_arrays(file) else ""
    return f'{name if name.isidentifier() else dataset.slug} = bb.load("{dataset.reference}"{more})'
