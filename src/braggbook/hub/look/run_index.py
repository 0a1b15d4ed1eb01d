"""Every run of a hub, read once and again only when it has changed."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from braggbook.errors import BraggbookError
from braggbook.runs.folder import FAILED, RECORD, read_record, run_folders

_REMEMBERED = 20_000  # runs, about 1 kB each; with more than that the list is read anew each time
_Stamp = tuple[int, int, int, int]


@dataclass(frozen=True)
class RunFacts:
    """What lists need to know of a run; of one that cannot be read only id, folder and problem.

    Attributes:
        id: Of the run, the name of its folder.
        folder: Where it lies.
        stamp: Changes with the folder.
        when: Its end in UTC; None where it is not known.
        seconds: How long it took.
        datasets: The references (``slug@version``) of what it used.
        results: Names of what it declared.
        problem: Why it cannot be read.
    """

    id: str
    folder: Path
    stamp: _Stamp
    notebook: str = ""
    title: str = ""
    verdict: str = ""
    when: datetime.datetime | None = None
    seconds: float | None = None
    datasets: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    problem: str = ""


def all_runs(runs: Path) -> list[RunFacts]:
    """Returns every run below a folder, the newest first; a failed one that later completed counts once."""
    found: dict[str, RunFacts] = {}
    for folder in run_folders(runs):
        if folder.name not in found and (stamp := _stamp(folder)) is not None:
            found[folder.name] = _facts(folder, stamp)
    oldest = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    return sorted(found.values(), key=lambda run: (run.when or oldest, run.id), reverse=True)


def folder_of(run_id: str, *, runs: Path) -> Path | None:
    """Returns where the run with this whole id lies, or None. A link is no run: it could lead to anything."""
    for folder in (runs / run_id, runs / FAILED / run_id):
        if folder.is_dir() and not folder.is_symlink():
            return folder
    return None


def _stamp(folder: Path) -> _Stamp | None:
    """Returns what changes when a run is made again; None for a link, and for a folder that has just gone."""
    try:
        if folder.is_symlink():
            return None
        outer = folder.stat()
        record = folder / RECORD
        inner = record.stat() if record.is_file() else outer
    except OSError:
        return None
    return outer.st_ino, outer.st_mtime_ns, inner.st_mtime_ns, inner.st_size


@lru_cache(maxsize=_REMEMBERED)
def _facts(folder: Path, stamp: _Stamp) -> RunFacts:
    try:
        record = read_record(folder)
    except BraggbookError as error:
        return RunFacts(folder.name, folder, stamp, problem=error.what)
    if record.id != folder.name:
        return RunFacts(folder.name, folder, stamp, problem=f"its record is that of another run, {record.id}")
    begun, when = moment(record.started), moment(record.ended)
    return RunFacts(
        record.id, folder, stamp, record.notebook, record.title, record.verdict, when,
        (when - begun).total_seconds() if begun and when else None,
        tuple(item.reference for item in record.datasets), tuple(record.results),
    )  # fmt: skip


def moment(text: str) -> datetime.datetime | None:
    """Returns a time of a record in UTC, None where it is none."""
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.replace(tzinfo=datetime.UTC) if time.tzinfo is None else time.astimezone(datetime.UTC)
