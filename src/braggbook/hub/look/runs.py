"""The list of runs, a run, and its files."""

from __future__ import annotations

import datetime
import os
import re
import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from braggbook.errors import BraggbookError, RecordError, UnknownName
from braggbook.formats.result import FigureResult, Result, ScalarResult
from braggbook.formats.run import RunRecord
from braggbook.hub.look.kinds import Media, media_of
from braggbook.hub.look.paging import Page, page_of
from braggbook.hub.look.published import Published, records_of
from braggbook.hub.look.run_index import RunFacts, all_runs, folder_of, moment
from braggbook.notebooks.show import interval_text, number_text, short_text, value_text
from braggbook.notebooks.source import Notebook, read_notebook
from braggbook.runs.folder import RECORD, RESULTS, read_record, read_results
from braggbook.runs.links import doi_link
from braggbook.runs.record import FIGURES, SOURCE_FOLDER
from braggbook.runs.report import REPORT
from braggbook.settings import Settings

_ID = re.compile(r"[0-9a-f]{24}")
_MAIN = 3  # results in a line of the list
_LARGEST_RESULTS = 16 << 20  # bytes of results.json that a page reads; larger ones are there to be downloaded
_REMEMBERED = 2_000  # lines, about 1 kB each
_NEXT = "braggbook list run"


@dataclass(frozen=True)
class ResultShown:
    """A declared result: its value as people write it, its interval, and its figure's file (relative to the run)."""

    name: str
    kind: str
    value: str
    unit: str = ""
    interval: str = ""
    exact: str = ""
    help: str = ""
    figure: str = ""
    alt: str = ""


@dataclass(frozen=True)
class RunLine:
    """A line of the list; of a run that cannot be read only the id and the problem."""

    id: str
    notebook: str
    title: str
    verdict: str
    when: datetime.datetime | None
    seconds: float | None
    results: tuple[ResultShown, ...]
    more_results: int
    problem: str = ""


@dataclass(frozen=True)
class ParameterShown:
    """A parameter: its value, and what the notebook says of it."""

    name: str
    value: str
    unit: str = ""
    default: str = ""
    changed: bool = False
    help: str = ""


@dataclass(frozen=True)
class DatasetUsed:
    """A dataset that a run used."""

    reference: str
    slug: str
    title: str
    license: str
    files: int
    not_copied: tuple[str, ...]


@dataclass(frozen=True)
class RunFile:
    """A file of a run. ``media`` says how it is sent: never under a type that a browser would execute."""

    name: str
    bytes: int
    sha256: str
    media: Media


@dataclass(frozen=True)
class RunShown:
    """Everything that a run's page says.

    Attributes:
        record: The run's own record, for what is not spelled out here (identity, determinism, cells, failure).
        problems: What of the run could not be read; the page shows the rest.
        report: The name of its report among the files, "" if it has none. A notebook made it: only as a download, or
            under a content security policy with ``sandbox``.
        commands: What repeats and compares it, for a terminal.
    """

    id: str
    notebook: str
    title: str
    verdict: str
    failure: str
    failure_issues: tuple[str, ...]
    when: datetime.datetime | None
    seconds: float | None
    parameters: tuple[ParameterShown, ...]
    results: tuple[ResultShown, ...]
    datasets: tuple[DatasetUsed, ...]
    kernel: str
    lock_sha256: str
    python: str
    braggbook: str
    seed: int
    files: tuple[RunFile, ...]
    bytes: int
    records: tuple[Published, ...]
    doi: str
    doi_link: str | None
    binder: str | None
    report: str
    commands: tuple[str, ...]
    problems: tuple[str, ...]
    record: RunRecord


def list_runs(
    settings: Settings, *, notebook: str | None = None, dataset: str | None = None, page: int = 1
) -> Page[RunLine]:
    """Returns a page of the runs, the newest first.

    Args:
        settings: Where runs are.
        notebook: Only runs of this notebook.
        dataset: Only runs that used this dataset, by ``slug`` or ``slug@version``.
        page: Its number, from 1.
    """
    chosen = [run for run in all_runs(settings.runs) if notebook in (None, run.notebook) and _used(run, dataset)]
    found = page_of(chosen, page)
    return Page(tuple(_line(run) for run in found.items), found.number, found.pages, found.total)


def runs_of_dataset(reference: str, settings: Settings, *, page: int = 1) -> Page[RunLine]:
    """Returns a page of the runs that used a dataset, by ``slug`` (any version) or ``slug@version``."""
    return list_runs(settings, dataset=reference, page=page)


def _used(run: RunFacts, dataset: str | None) -> bool:
    if dataset is None:
        return True
    return any(dataset in (reference, reference.partition("@")[0]) for reference in run.datasets)


@lru_cache(maxsize=_REMEMBERED)  # the facts hold the folder's stamp
def _line(run: RunFacts) -> RunLine:
    results, problem = ({}, run.problem) if run.problem else _results(run.folder)
    main = sorted(results.values(), key=lambda result: not isinstance(result, ScalarResult))[:_MAIN]
    shown = tuple(_result(result, {}, files=()) for result in main)
    more = max(len(run.results) - len(shown), 0)
    return RunLine(run.id, run.notebook, run.title, run.verdict, run.when, run.seconds, shown, more, problem)


def _results(folder: Path) -> tuple[dict[str, Result], str]:
    """Returns what a run declared, and what is wrong if that cannot be read."""
    try:
        size = (folder / RESULTS).stat().st_size
        if size > _LARGEST_RESULTS:
            return {}, f"{RESULTS} has {size:,} bytes, too many for a page"
        return dict(read_results(folder).results), ""
    except OSError as error:
        return {}, f"the run's results cannot be read: {error.strerror or 'no reason given'}"
    except BraggbookError as error:
        return {}, error.what


def show_run(run_id: str, settings: Settings) -> RunShown:
    """Returns all that a run's page says.

    Raises:
        UnknownName: There is no run with this whole id.
        RecordError: Its record cannot be read.
    """
    folder = _folder(run_id, settings)
    record = read_record(folder)
    results, problem = _results(folder)
    notebook, trouble = _notebook(folder, record)
    begun, when = moment(record.started), moment(record.ended)
    seconds = (when - begun).total_seconds() if begun and when else None
    failure = record.failure
    files = tuple(RunFile(n, one.bytes, one.sha256, media_of(n)) for n, one in sorted(record.files.items()))
    records = records_of(record.id, runs=settings.runs)
    doi = records[0].doi if records else record.doi or ""
    return RunShown(
        record.id, record.notebook, record.title, record.verdict,
        failure=failure.message if failure else "",
        failure_issues=tuple(_issue_text(issue) for issue in failure.issues) if failure else (),
        when=when, seconds=seconds,
        parameters=_parameters(record, notebook),
        results=_shown_results(results, notebook, files=tuple(record.files)),
        datasets=_datasets(record),
        kernel=record.kernel.slug, lock_sha256=record.kernel.lock_sha256,
        python=record.python, braggbook=record.braggbook.version, seed=record.determinism.seed,
        files=files, bytes=sum(file.bytes for file in files),
        records=records, doi=doi, doi_link=doi_link(doi) if doi else None,
        binder=next((one.binder for one in records if one.binder), None),
        report=REPORT if REPORT in record.files else "",
        commands=_commands(record, published=records[0].doi if records else None),
        problems=tuple(text for text in (problem, trouble) if text), record=record,
    )  # fmt: skip


def _folder(run_id: str, settings: Settings) -> Path:
    """Returns a run's folder by its whole id alone: never a path, a beginning, or anything outside of the runs.

    Raises:
        UnknownName: There is none.
    """
    folder = folder_of(run_id, runs=settings.runs) if _ID.fullmatch(run_id) else None
    if folder is None:
        raise UnknownName(f"no run {run_id!r} here", wanted="the 24 digits of a run's id", next_command=_NEXT)
    return folder


def _notebook(folder: Path, record: RunRecord) -> tuple[Notebook | None, str]:
    """Returns the notebook that was executed, for what its parameters and results mean."""
    try:
        return read_notebook(folder / SOURCE_FOLDER / f"{record.notebook}.ipynb"), ""
    except BraggbookError as error:
        return None, f"units and meanings of the parameters are not known: {error.what}"


def _parameters(record: RunRecord, notebook: Notebook | None) -> tuple[ParameterShown, ...]:
    items = {item.name: item for item in notebook.parameters.items} if notebook else {}
    shown = []
    for name, value in record.parameters.items():
        if (item := items.get(name)) is None:
            shown.append(ParameterShown(name, _value(value)))
            continue
        about = item.spec.help or item.declaration.help or ""
        default, changed = item.default, item.default != value
        shown.append(ParameterShown(name, _value(value), item.spec.unit or "", _value(default), changed, about))
    return tuple(shown)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return "not given" if value is None else str(value)


def _shown_results(
    results: dict[str, Result], notebook: Notebook | None, *, files: tuple[str, ...]
) -> tuple[ResultShown, ...]:
    specs: Any = notebook.front.braggbook.results if notebook else {}
    order = {name: at for at, name in enumerate(specs)}
    ordered = sorted(results.values(), key=lambda result: order.get(result.name, len(order)))
    return tuple(_result(result, specs, files=files) for result in ordered)


def _result(result: Result, specs: Any, *, files: tuple[str, ...]) -> ResultShown:
    about = specs[result.name].help if result.name in specs else ""
    if isinstance(result, ScalarResult):
        exact, unit = number_text(result.value, 17), "" if result.unit == "1" else result.unit
        interval = interval_text(result)
        return ResultShown(result.name, result.kind, short_text(result), unit, interval, exact, help=about)
    drawing = f"{FIGURES}/{result.name}.png"
    figure = drawing if drawing in files else ""
    alt = (result.alt or result.name) if isinstance(result, FigureResult) else ""
    return ResultShown(result.name, result.kind, value_text(result), help=about, figure=figure, alt=alt)


def _datasets(record: RunRecord) -> tuple[DatasetUsed, ...]:
    return tuple(
        DatasetUsed(
            one.reference,
            one.reference.partition("@")[0],
            one.title,
            one.license,
            len(one.files),
            tuple(one.not_copied),
        )
        for one in record.datasets
    )


def _issue_text(issue: dict[str, str]) -> str:
    wanted = f"; wanted {issue['wanted']}" if issue.get("wanted") else ""
    got = f", got {issue['got']}" if issue.get("got") else ""
    return f"{issue.get('where', '')}: {issue.get('what', '')}{wanted}{got}".removeprefix(": ")


def _commands(record: RunRecord, *, published: str | None) -> tuple[str, ...]:
    """Returns what a person types: to repeat the run where it lies, from its record, and to compare it."""
    from_record = (f"braggbook verify {published}",) if published else ()
    return (f"braggbook verify {record.id}", *from_record, f"braggbook diff {record.id} OTHER_RUN")


def run_file(run_id: str, name: str, settings: Settings) -> Path:
    """Returns where a file of a run is: one that the run's own list of files names, or that list itself.

    Raises:
        UnknownName: There is no such run, or it lists no such file.
        RecordError: The run's record cannot be read; the file is gone, a link, or not the size that the list says.
    """
    folder = _folder(run_id, settings)
    record = read_record(folder)
    if name != RECORD and name not in record.files:
        what = f"the run lists no file {name!r}"
        raise UnknownName(what, where=run_id, next_command=f"braggbook show run {run_id}")
    path = folder / name
    size = _plain_size(folder, name)
    wanted = None if name == RECORD else record.files[name].bytes
    if size is None or wanted not in (None, size):
        what = "the file is not there as it was" if size is None else "the file has changed since the run"
        raise RecordError(what, where=f"{run_id}/{name}", next_command=f"braggbook verify {run_id}")
    return path


def _plain_size(folder: Path, name: str) -> int | None:
    """Returns the size of a file that is reached without any link, None for anything else."""
    parts = name.split("/")
    if "\0" in name or any(part in ("", ".", "..") for part in parts):
        return None
    try:
        for count in range(1, len(parts)):
            if not stat.S_ISDIR(os.lstat(folder.joinpath(*parts[:count])).st_mode):
                return None
        found = os.lstat(folder.joinpath(*parts))
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
