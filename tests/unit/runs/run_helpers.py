"""What the tests of runs build with: results, and whole run folders made by hand."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from braggbook.files import sha256_bytes, write_json
from braggbook.formats.result import Result, ResultsFile, ScalarResult, result_adapter
from braggbook.formats.run import (
    DatasetRecord,
    Determinism,
    Identity,
    KernelRecord,
    RunRecord,
    SoftwareRecord,
)
from braggbook.notebooks.results import encode_result
from braggbook.notebooks.source import read_notebook
from braggbook.runs.folder import RECORD, RESULTS
from braggbook.runs.record import ENVIRONMENT, SOURCE_FOLDER
from braggbook.testing.experiments import write_experiment

DIGEST = "0123456789abcdef" * 4


def digest(text: str) -> str:
    """Returns a SHA-256 digest that belongs to ``text``."""
    return sha256_bytes(text.encode())


def _encoded(value: Any, **options: Any) -> Result:
    nothing: dict[str, Any] = {"unit": None, "uncertainty": None, "interval": None, "units": {}, "alt": ""}
    # parameters of tests are made while they are collected, when other tests may have read constants
    return encode_result("x", value, **{**nothing, **options}).model_copy(update={"constants": None})


def scalar(value: float, unit: str = "1", **options: Any) -> ScalarResult:
    """Declares a number as ``x``."""
    result = _encoded(value, unit=unit, **options)
    assert isinstance(result, ScalarResult)
    return result


def table(columns: Mapping[str, Any], **options: Any) -> Result:
    """Declares a table as ``x``."""
    return _encoded(pd.DataFrame(columns), **options)


def array(values: Any, dims: Any = None, units: str | None = "1", name: str = "a") -> Result:
    """Declares one array as ``x``."""
    variable = xr.DataArray(values, dims=dims, attrs={"units": units} if units else {})
    return _encoded(xr.Dataset({name: variable}))


def figure(*marks: Mapping[str, Any], title: str = "", **more: Any) -> Result:
    """Declares a figure as ``x``."""
    return result_adapter.validate_python(
        {"kind": "figure", "name": "x", "axes": [{"title": title, "marks": list(marks)}], **more}
    )


def identity(**changes: Any) -> Identity:
    """Returns the identity of some run."""
    usual = {
        "notebook": digest("notebook"), "parameters": {"factor": 2.0}, "datasets": {"counts@1": digest("counts")},
        "kernel_lock": digest("lock"), "python": "3.11.7", "braggbook": digest("wheel"), "seed": 0,
    }  # fmt: skip
    return Identity.model_validate({**usual, **changes})


def make_run(
    runs: Path,
    *,
    code: str = "bb.result('x', factor, unit='1')",
    results: Mapping[str, Result] | None = None,
    packages: Mapping[str, str] | None = None,
    verdict: str = "complete",
    **changes: Any,
) -> Path:
    """Makes a run folder with what comparing and listing read: its record, results, environment and notebook."""
    work = runs / "new"
    source = write_experiment(work / SOURCE_FOLDER, "experiment", code=[code], parameters="factor: float = 2.0")
    known = identity(**{"notebook": read_notebook(source).identity, **changes})
    results = {"x": scalar(2.0)} if results is None else results
    record = RunRecord(
        id=known.run_id, verdict=verdict, notebook="experiment", title="A test experiment", identity=known,  # type: ignore[arg-type]
        parameters=known.parameters,
        datasets=[DatasetRecord(reference=name, title=name, license="CC0-1.0", files={}) for name in known.datasets],
        kernel=KernelRecord(slug="radiobiology", lock_sha256=known.kernel_lock, origin="current"), python=known.python,
        braggbook=SoftwareRecord(version="0.1.0", wheel="software/braggbook.whl", sha256=known.braggbook),
        determinism=Determinism(
            seed=known.seed, environment={}, matplotlib_hashsalt="braggbook", cell_timeout_s=1, memory_limit_mb=1
        ),
        cells=[], started="2026-05-04T10:00:00+00:00", ended="2026-05-04T10:00:02+00:00", results=sorted(results), files={},
    )  # fmt: skip
    write_json(work / RECORD, record.model_dump(mode="json"))
    write_json(work / RESULTS, ResultsFile(results=dict(results)).model_dump(mode="json", exclude_none=True))
    write_json(work / ENVIRONMENT, {"python": known.python, "packages": dict(packages or {"numpy": "2.4.6"})})
    target = runs / record.id
    shutil.rmtree(target, ignore_errors=True)
    return work.rename(target)
