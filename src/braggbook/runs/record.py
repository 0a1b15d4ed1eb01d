"""Writing a run's folder: everything that a stranger needs to understand and to repeat it."""

from __future__ import annotations

import base64
import copy
import json
import os
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd

from braggbook.datasets.catalogue import FOLDER as DATASETS
from braggbook.files import sha256_file, storage, write_bytes, write_json, write_text
from braggbook.formats.result import DatasetResult, FigureResult, Result, ResultsFile, TableResult
from braggbook.formats.run import (
    DatasetRecord,
    Determinism,
    FileRecord,
    KernelRecord,
    RunRecord,
    SoftwareRecord,
)
from braggbook.kernels.catalogue import CARD, LOCK, REQUIREMENTS, SPEC
from braggbook.notebooks.decode import decode_result
from braggbook.runs.crate import write_crate
from braggbook.runs.environment import HASHSALT, machine_facts
from braggbook.runs.execute import WRITTEN, Execution
from braggbook.runs.folder import RECORD, RESULTS
from braggbook.runs.plan import RunPlan
from braggbook.runs.report import write_report
from braggbook.settings import Settings

EXECUTED, ENVIRONMENT, LOG, README = "executed.ipynb", "environment.json", "log.jsonl", "README.txt"
SOURCE_FOLDER, KERNEL_FOLDER, SOFTWARE_FOLDER = "notebook", "kernel", "software"
FIGURES, ARRAYS, TABLES = "figures", "arrays", "tables"


def write_run(folder: Path, plan: RunPlan, execution: Execution, *, settings: Settings) -> RunRecord:
    """Writes the whole record into ``folder``, where the plan was executed.

    Raises:
        StorageError: The disk refuses; the folder is then not to be shown.
    """
    with storage(folder):
        _write_inputs(folder, plan)
        not_copied = _settle_datasets(folder, plan, settings)
        _write_outputs(folder, plan, execution)
        record = _record(plan, execution, not_copied)
        write_text(folder / README, _readme(record))
        write_report(folder, plan.notebook, record, execution)
        write_crate(folder, plan.notebook, record, execution.results.values())
        record = record.model_copy(update={"files": _manifest(folder)})
        write_json(folder / RECORD, record.model_dump(mode="json"))
    return record


def _write_inputs(folder: Path, plan: RunPlan) -> None:
    for name in (SOURCE_FOLDER, KERNEL_FOLDER, SOFTWARE_FOLDER):
        (folder / name).mkdir()
    write_text(folder / SOURCE_FOLDER / f"{plan.notebook.slug}.ipynb", _stripped(plan.notebook.node))
    for name in (CARD, SPEC, REQUIREMENTS, LOCK):
        shutil.copyfile(plan.kernel.folder / name, folder / KERNEL_FOLDER / name)
    write_bytes(folder / SOFTWARE_FOLDER / plan.wheel.name, plan.wheel.data)


def _stripped(node: Any) -> str:
    source = copy.deepcopy(node)
    for cell in source.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return str(nbformat.writes(source)) + "\n"


def _settle_datasets(folder: Path, plan: RunPlan, settings: Settings) -> dict[str, list[str]]:
    """Turns the links of the execution into copies, or removes them where size or licence forbid a copy."""
    missing: dict[str, list[str]] = {}
    for dataset, files in plan.datasets:
        missing[dataset.reference] = []
        for file in dataset.card.files:
            link = folder / DATASETS / dataset.slug / file.path
            link.unlink()
            if file.copy_allowed and file.bytes <= settings.embed_limit_mb << 20:
                shutil.copyfile(files[file.path], link)
            else:
                missing[dataset.reference].append(file.path)
    return missing


def _write_outputs(folder: Path, plan: RunPlan, execution: Execution) -> None:
    if not any((folder / WRITTEN).iterdir()):
        (folder / WRITTEN).rmdir()
    write_text(folder / EXECUTED, str(nbformat.writes(execution.node)) + "\n")
    for result in execution.results.values():
        _write_result(folder, result)
    kept = {name: _without_drawing(result) for name, result in execution.results.items()}
    write_json(folder / RESULTS, ResultsFile(results=kept).model_dump(mode="json", exclude_none=True))
    events = [
        *execution.events,
        *([{"event": "kernel output", "text": execution.kernel_log}] if execution.kernel_log else []),
    ]
    if execution.dropped_bytes:
        events.append({"event": "outputs dropped", "bytes": execution.dropped_bytes})
    write_text(folder / LOG, "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events))
    facts = {
        "python": plan.environment.python_version,
        "machine": machine_facts(),
        "packages": dict(sorted(plan.environment.packages.items())),
    }
    write_json(folder / ENVIRONMENT, facts)


def _write_result(folder: Path, result: Result) -> None:
    if isinstance(result, FigureResult):
        (folder / FIGURES).mkdir(exist_ok=True)
        write_text(folder / FIGURES / f"{result.name}.svg", result.svg)
        write_bytes(folder / FIGURES / f"{result.name}.png", base64.b64decode(result.png))
    elif isinstance(result, DatasetResult):
        (folder / ARRAYS).mkdir(exist_ok=True)
        decode_result(result).to_zarr(
            folder / ARRAYS / f"{result.name}.zarr", mode="w", consolidated=False, zarr_format=3
        )
    elif isinstance(result, TableResult):
        (folder / TABLES).mkdir(exist_ok=True)
        frame: pd.DataFrame = decode_result(result)
        write_text(folder / TABLES / f"{result.name}.csv", frame.to_csv(index=False, lineterminator="\n"))


def _without_drawing(result: Result) -> Result:
    return result.model_copy(update={"svg": "", "png": ""}) if isinstance(result, FigureResult) else result


def _record(plan: RunPlan, execution: Execution, not_copied: dict[str, list[str]]) -> RunRecord:
    return RunRecord(
        id=plan.id,
        verdict=execution.verdict,
        failure=execution.failure,
        notebook=plan.notebook.slug,
        title=plan.notebook.front.title,
        identity=plan.identity,
        parameters=plan.values,
        datasets=[
            DatasetRecord(
                reference=dataset.reference,
                title=dataset.card.title,
                license=dataset.card.license,
                files={file.path: FileRecord(sha256=file.sha256, bytes=file.bytes) for file in dataset.card.files},
                not_copied=not_copied[dataset.reference],
            )
            for dataset, _ in plan.datasets
        ],
        kernel=KernelRecord(slug=plan.kernel.slug, lock_sha256=plan.kernel.lock_sha256, origin=plan.environment.origin),
        python=plan.environment.python_version,
        braggbook=SoftwareRecord(
            version=plan.wheel.name.split("-")[1],
            wheel=f"{SOFTWARE_FOLDER}/{plan.wheel.name}",
            sha256=plan.wheel.sha256,
        ),
        determinism=Determinism(
            seed=plan.seed,
            environment=execution.determinism,
            matplotlib_hashsalt=HASHSALT,
            cell_timeout_s=execution.cell_timeout_s,
            memory_limit_mb=execution.memory_limit_mb,
        ),
        engine=execution.engine,
        shared_cells=execution.shared_cells,
        cells=execution.cells,
        doi=plan.doi,
        started=execution.started,
        ended=execution.ended,
        results=sorted(execution.results),
        constants_version=_constants_version(execution),
        files={},
    )


def _constants_version(execution: Execution) -> str | None:
    if not any(result.constants for result in execution.results.values()):
        return None
    from braggbook.radiobiology.constants import constants_version  # noqa: PLC0415 - few runs need SciPy in the runner

    return constants_version()


def _manifest(folder: Path) -> dict[str, FileRecord]:
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            found[path.relative_to(folder).as_posix()] = FileRecord(sha256=sha256_file(path), bytes=path.stat().st_size)
    return dict(sorted(found.items()))


def _readme(record: RunRecord) -> str:
    return f"""This folder is one run of the experiment notebook "{record.title}".

Verdict of the run: {record.verdict}
Run id: {record.id} (a digest of notebook, parameters, datasets, kernel lock, Python and Braggbook's code)

  report.html              the results, the figures and the whole notebook; opens in any browser, needs no network
  results.json             the declared results with units and uncertainties
  figures/ tables/ arrays/ the same results as SVG and PNG, CSV, and Zarr (xarray.open_zarr(path, consolidated=False))
  executed.ipynb           the notebook as it ran, with its outputs; opens in JupyterLab
  notebook/                the notebook's source
  datasets/                the data that it read, with a card each
  kernel/                  the exact versions of the packages that it ran with
  software/                Braggbook itself, as a wheel: pip install software/*.whl
  files/                   whatever else the notebook wrote (only if it did)
  environment.json         Python, machine and all packages
  log.jsonl                what happened when
  ro-crate-metadata.json   all of this as a Workflow Run RO-Crate (https://w3id.org/ro/wfrun)
  run.json                 the record: parameters, digests of every file, how each cell ended

To repeat it and compare:   pip install software/*.whl && braggbook verify .
"""
