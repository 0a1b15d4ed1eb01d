"""A sweep as one record: its design, its results, and of every point what is needed to repeat it.

What all points have in common lies at the top of the zip as it lies in each run's folder: the notebook, the kernel's
lock, the wheel, the data. The rest of each run is in ``points/<run id>/``; :func:`gather_point` puts the two together.
"""

from __future__ import annotations

import csv
import html
import io
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit
import xarray as xr

from braggbook.errors import InputError, Issue, RecordError
from braggbook.files import canonical_json, storage
from braggbook.formats.notebook import FrontMatter
from braggbook.formats.record import PublishPlan, Relation
from braggbook.formats.run import RunRecord
from braggbook.formats.sweep import DESIGN_FORMAT
from braggbook.formats.sweep_record import AxisRecord, SweepRecord, sweep_id
from braggbook.records.binder import binder_files
from braggbook.records.bundle import write_bundle
from braggbook.records.metadata import checked_metadata, one_line
from braggbook.records.people import missing_of
from braggbook.records.run_plan import (
    Planned,
    about,
    facts_of_front,
    front_of,
    own_words_of,
    refuse_links,
    relations_of,
    require_sendable,
    software_relation,
    unique_relations,
)
from braggbook.runs.crate import CRATE
from braggbook.runs.crate_of_many import merge_crates
from braggbook.runs.folder import FAILED, changed_files, read_record
from braggbook.runs.folder import RECORD as RUN_RECORD
from braggbook.runs.labels import RUN_ID, STATUS
from braggbook.runs.scrub import Scrubber
from braggbook.runs.sweep_folder import RECORD, STORE, SWEEPS, read_sweep

POINTS, DESIGN, RESULTS, REPORT, README = "points", "design.toml", "results.csv", "report.html", "README.txt"
_INPUTS = ("notebook/", "kernel/", "software/", "datasets/")  # of a run; what of it all points have is sent once
_HOW = (
    "To repeat it: pip install braggbook, then braggbook sweep with the notebook and design.toml of this record; "
    "README.txt says what each file is."
)
_SHOWN_VALUES = 8


def plan_sweep_record(
    folder: Path,
    target: Path,
    *,
    scrubber: Scrubber,
    software: str | None = None,
    version_of: str | None = None,
    relations: Iterable[Relation] = (),
) -> Planned:
    """Plans to publish a sweep, all of it.

    Args:
        folder: The sweep's, below the runs.
        target: The folder to write its zip to.
        scrubber: What must not be in it.
        software: DOI or address of Braggbook.
        version_of: DOI of the record whose next version this is.
        relations: What else it stands in a relation to.

    Raises:
        InputError: It is not complete, a run of it is missing or changed, or something in it would identify a person or
            a machine; all findings are listed.
        RecordError: It is no sweep.
    """
    record = read_sweep(folder)
    _require_complete(record)
    points = _points(folder, record)
    first, its_record = next(iter(points.items()))
    front = front_of(first, its_record)
    content = _content(folder, record, points, front)
    compiled_by, unknown = software_relation(software)
    stands_on, missing = relations_of(first, its_record, front)
    facts = _facts(record, front)
    facts["relations"] = unique_relations([*compiled_by, *stands_on, *(one.model_dump() for one in relations)])
    own_words = own_words_of(first, its_record)
    require_sendable(content, facts, where=f"sweep {record.id}", scrubber=scrubber, own_words=own_words)
    metadata = checked_metadata(facts)
    zipped = write_bundle(content, target / f"{record.notebook}-sweep-{record.id}.zip")
    plan = PublishPlan(
        kind="sweep",
        source=record.id,
        metadata=metadata,
        files=[zipped],
        missing=[*unknown, *missing, *missing_of(metadata.creators)],
        version_of=version_of,
    )
    return Planned(plan, {zipped.name: target / zipped.name})


def gather_point(unpacked: Path, run_id: str, target: Path) -> None:
    """Puts the folder of one point's run together again.

    Args:
        unpacked: A sweep's record, unpacked.
        run_id: Of the point.
        target: The folder to make.

    Raises:
        RecordError: The record has no such point, or a file of it is missing.
        StorageError: The disk refuses.
    """
    own = unpacked / POINTS / run_id
    record = read_record(own)
    lost = []
    with storage(target):
        target.mkdir(parents=True)
        for name in (*record.files, RUN_RECORD):
            source = own / name if (own / name).is_file() else unpacked / name
            if not source.is_file():
                lost.append(Issue("missing", name))
                continue
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)
    if lost:
        raise RecordError("the point is not whole", where=run_id, issues=lost)


def _require_complete(record: SweepRecord) -> None:
    command = f"braggbook sweep {record.notebook} ...: the same command again does what is missing"
    if record.ended != {"complete": record.points}:
        got = ", ".join(f"{count} {how}" for how, count in record.ended.items()) or "nothing"
        wanted = f"{record.points} complete points"
        raise InputError("the sweep is not complete", where=record.id, wanted=wanted, got=got, next_command=command)
    if (found := sweep_id(record.identity, record.fixed, record.axes)) != record.id:
        raise InputError("the sweep is not as it was", where=record.id, wanted=f"a record of {record.id}", got=found)


def _points(folder: Path, record: SweepRecord) -> dict[Path, RunRecord]:
    """Returns the runs of all points with their records, in the order of the sweep."""
    runs = folder.parent.parent if folder.parent.name == SWEEPS else folder.parent
    ids = _run_ids(folder, record)
    found: dict[Path, RunRecord] = {}
    issues: list[Issue] = []
    for run_id in ids:
        try:
            one = read_record(runs / run_id)
        except RecordError as error:
            failed = " (a failed one is there)" if (runs / FAILED / run_id).is_dir() else ""
            issues.append(Issue(f"{error.what}{failed}", run_id, error.wanted, error.got))
            continue
        if one.verdict != "complete" or one.notebook != record.notebook:
            issues.append(Issue("not a complete run of this sweep", run_id, "complete", one.verdict))
        issues += [Issue(i.what, f"{run_id}/{i.where}", i.wanted, i.got) for i in changed_files(runs / run_id, one)]
        found[runs / run_id] = one
    if issues:
        command = "run the same sweep again: it does only what is missing"
        raise InputError("runs of the sweep", where=record.id, issues=issues, next_command=command)
    return found


def _run_ids(folder: Path, record: SweepRecord) -> list[str]:
    try:
        with xr.open_zarr(folder / STORE, consolidated=False) as store:
            ids = [str(name) for name in np.ravel(store[RUN_ID].values)]
            stored = store.attrs.get("sweep")
            ended = {str(status) for status in np.ravel(store[STATUS].values)}
    except (OSError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RecordError("the sweep's results cannot be read", where=f"{record.id}/{STORE}", got=reason) from None
    if stored != record.id or len(ids) != record.points or ended != {"complete"}:
        wanted = f"{record.points} complete points of {record.id}"
        got = f"{len(ids)} points of {stored}"
        raise InputError("the sweep's results are not its own", where=f"{record.id}/{STORE}", wanted=wanted, got=got)
    return list(dict.fromkeys(ids))


def _content(
    folder: Path, record: SweepRecord, points: Mapping[Path, RunRecord], front: FrontMatter
) -> dict[str, Path | bytes]:
    first, its_record = next(iter(points.items()))
    content: dict[str, Path | bytes] = {RECORD: folder / RECORD, **_store(folder)}
    refuse_links(folder, content)
    shared = {
        name
        for name, file in its_record.files.items()
        if name.startswith(_INPUTS) and all(one.files.get(name) == file for one in points.values())
    }
    content |= {name: first / name for name in shared}
    for run, one in points.items():
        own: dict[str, Path | bytes] = {name: run / name for name in (*one.files, RUN_RECORD) if name not in shared}
        refuse_links(run, own)
        content |= {f"{POINTS}/{run.name}/{name}": path for name, path in own.items()}
    content |= binder_files(first, its_record)
    table = _table(folder)
    content[DESIGN] = design_toml(record.fixed, record.axes).encode()
    content[RESULTS] = table.encode()
    content[REPORT] = _report(record, front, table).encode()
    content[README] = _readme(record).encode()
    content[CRATE] = _crate(record, front, points, shared)
    return content


def _crate(record: SweepRecord, front: FrontMatter, points: Iterable[Path], shared: set[str]) -> bytes:
    """Returns the crate of the whole sweep."""
    crates = {run.name: json.loads((run / CRATE).read_text(encoding="utf-8")) for run in points}
    facts = _facts(record, front)
    sweep = {"name": facts["title"], "description": facts["description"], "identifier": record.id}
    also = [RECORD, DESIGN, RESULTS, REPORT, README, f"{STORE}/"]
    return canonical_json(merge_crates(crates, shared=shared, about=sweep, points=POINTS, also=also))


def _store(folder: Path) -> dict[str, Path | bytes]:
    files = [path for path in sorted((folder / STORE).rglob("*")) if path.is_file() or path.is_symlink()]
    return {path.relative_to(folder).as_posix(): path for path in files}


def design_toml(fixed: Mapping[str, Any], axes: Iterable[AxisRecord]) -> str:
    """Returns a sweep's points as a design that ``braggbook sweep --design`` reads."""
    design: dict[str, Any] = {"format": DESIGN_FORMAT}
    if fixed:
        design["fixed"] = dict(fixed)
    grid: dict[str, Any] = {}
    together: dict[str, Any] = {}
    for axis in axes:
        if len(axis.values) == 1:
            grid |= axis.values
        else:
            together[axis.dim] = axis.values
    design |= ({"grid": grid} if grid else {}) | ({"zip": together} if together else {})
    return tomlkit.dumps(design)


def _table(folder: Path) -> str:
    """Returns every number of the sweep that belongs to a whole point, as CSV: a row for each."""
    with xr.open_zarr(folder / STORE, consolidated=False) as store:
        dims = store[RUN_ID].dims
        # sorted: a store lists its arrays as the file system does, and the same sweep must give the same bytes
        names = sorted(str(name) for name, variable in store.variables.items() if variable.dims == dims)
        along = sorted(str(name) for name, variable in store.variables.items() if len(dims) > len(variable.dims) == 1)
        frame = store[names].to_dataframe().reset_index()
    first = [name for name in map(str, dims) if name in frame]
    kept = [*first, *(name for name in (*along, *names) if name in frame and name not in first)]
    return str(frame[kept].to_csv(index=False, lineterminator="\n"))


def _facts(record: SweepRecord, front: FrontMatter) -> dict[str, Any]:
    swept = [f"{name}: {_values(values)}" for axis in record.axes for name, values in axis.values.items()]
    fixed = [f"{name} = {value}" for name, value in record.fixed.items()]
    said = [f"{record.points} points. Swept: {'; '.join(swept) or 'nothing'}."]
    said += [f"Fixed: {', '.join(fixed)}."] if fixed else []
    return {
        **facts_of_front(front),
        "title": f"Sweep of: {one_line(front.title)}",
        "description": "\n\n".join([about(front), " ".join(said), f"Sweep {record.id}. {_HOW}"]),
        "version": record.id[:12],
    }


def _values(values: list[Any]) -> str:
    if len(values) <= _SHOWN_VALUES:
        return ", ".join(map(str, values))
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return f"{len(values)} values" + (f" from {min(values)} to {max(values)}" if numbers else "")


def _readme(record: SweepRecord) -> str:
    return f"""{record.title}

A sweep of Braggbook: the notebook {record.notebook} at {record.points} points of its parameters.

{CRATE} what is what, as a Workflow Run RO-Crate
{RECORD}         what was asked for, and how it ended
{DESIGN}        the same points, to ask for them again: braggbook sweep NOTEBOOK --design {DESIGN}
{RESULTS}        the scalar results, a row for each point
{STORE}/      all results over the parameters, for xarray: xr.open_zarr("{STORE}")
{REPORT}        the same table to look at
notebook/          the notebook
kernel/, software/ the locked environment and Braggbook's own code
datasets/          the data, as far as they may be copied
{POINTS}/<run id>/   of every point: its record (run.json), its crate (ro-crate-metadata.json), its executed notebook,
                   its report and results. With the files above it is the run's folder again.
binder/            what mybinder.org needs
"""


def _report(record: SweepRecord, front: FrontMatter, table: str) -> str:
    rows = list(csv.reader(io.StringIO(table)))
    more, rows = len(rows) - 1 - _MOST_ROWS, rows[: _MOST_ROWS + 1]
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in rows[0])
    body = "\n".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
    swept = json.dumps({axis.dim: list(axis.values) for axis in record.axes}, ensure_ascii=False)
    return _PAGE.format(
        title=html.escape(one_line(front.title)),
        about=html.escape(about(front)),
        facts=html.escape(f"Sweep {record.id}: {record.points} points. Dimensions and parameters: {swept}"),
        head=head,
        body=body,
        more=f"<p>and {more} more rows in {RESULTS}</p>" if more > 0 else "",
    )


_MOST_ROWS = 2000
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Sweep of: {title}</title>
<style>body {{ font: 16px/1.5 sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }}
table {{ border-collapse: collapse }} th, td {{ border-bottom: 1px solid #ccc; padding: .2rem .6rem; text-align: left }}
div {{ overflow-x: auto }}</style>
</head>
<body>
<h1>{title}</h1>
<p>{about}</p>
<p>{facts}</p>
<div><table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table></div>
{more}
</body>
</html>
"""
