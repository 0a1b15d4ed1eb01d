"""Reading declared results back from an executed notebook, and as the values they were."""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import ValidationError

from braggbook.errors import Issue, ResultError, UnitError, closest
from braggbook.formats.common import issues_from
from braggbook.formats.notebook import ResultSpec
from braggbook.formats.result import (
    MIME,
    ArrayVariable,
    DatasetResult,
    FigureResult,
    Result,
    ScalarResult,
    TableResult,
    result_adapter,
)
from braggbook.units import same_unit

_STORED_AS = "numpy_dtype"  # dates and durations lie as whole counts; this attribute says of what
_LARGEST_ARRAY_BYTES = 1 << 30  # a compressed payload must not unpack into more than this


def read_results(node: Any, extra: Path | None = None) -> tuple[dict[str, Result], list[Issue]]:
    """Reads every declared result of an executed notebook.

    Args:
        node: The notebook.
        extra: A file with one JSON object a line, as kernels of other languages write it.

    Returns:
        The results by name, and what could not be read.
    """
    found: dict[str, Result] = {}
    issues: list[Issue] = []
    for where, payload in [*_displayed(node), *_written(extra)]:
        try:
            result = result_adapter.validate_python(payload)
        except ValidationError as error:
            issues += issues_from(error, where=where)
            continue
        if damage := _damage(result):
            issues.append(Issue("cannot be read", f"{where}: {result.name}", got=damage))
            continue
        if result.name in found and _bare(found[result.name]) != _bare(result):
            issues.append(Issue("declared twice, with two values", f"{where}: {result.name}"))
        found[result.name] = result
    return found, issues


def _bare(result: Result) -> Result:
    return result.model_copy(update={"constants": None})


def _damage(result: Result) -> str:
    """Returns why a result that keeps to its model cannot be unpacked all the same."""
    try:
        decode_result(result)
    except ResultError as error:
        return f"{error.where}: {error.got}"
    except (ValueError, TypeError, OverflowError) as error:  # arrays that do not fit together, too large whole numbers
        return str(error)
    return ""


def _displayed(node: Any) -> Iterator[tuple[str, Any]]:
    for index, cell in enumerate(node.cells):
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if MIME in data:
                payload = dict(data[MIME])
                if payload.get("kind") == "figure" and not payload.get("png"):
                    payload["png"] = data.get("image/png", "")
                yield f"cell {index + 1}", payload


def _written(path: Path | None) -> Iterator[tuple[str, Any]]:
    if path is None or not path.is_file():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        try:
            yield f"results file, line {number}", json.loads(line)
        except (ValueError, RecursionError):
            yield f"results file, line {number}", {}


def check_results(results: dict[str, Result], specs: dict[str, ResultSpec]) -> list[Issue]:
    """Compares results with what the front matter declares: all there, of that kind and unit, finite."""
    issues = [
        Issue("declared result is missing", name, f"bb.result({name!r}, ...)") for name in specs if name not in results
    ]
    for name, result in results.items():
        if name not in specs:
            issues.append(Issue("result is not declared in the front matter", name, closest(name, specs)))
        elif result.kind != specs[name].kind:
            issues.append(Issue("result of another kind", name, specs[name].kind, result.kind))
        else:
            issues += _check(result, specs[name])
    return issues


def _check(result: Result, spec: ResultSpec) -> list[Issue]:
    if isinstance(result, ScalarResult):
        if same_unit(result.unit, str(spec.unit)):
            return []
        return [Issue("result in another unit", result.name, str(spec.unit), result.unit)]
    if isinstance(result, TableResult):
        units = {column.name: column.unit for column in result.columns}
        gaps = [column.name for column in result.columns if None in column.values]  # noqa: PD011 - our own model
    elif isinstance(result, DatasetResult):
        arrays = {name: decode_array(v) for name, v in result.variables.items() if v.dtype != "text"}
        units = {name: v.attrs.get("units") for name, v in result.variables.items()}
        gaps = [
            name for name, values in arrays.items() if values.dtype.kind in "fcmM" and not np.isfinite(values).all()
        ]
    else:
        return []
    return [*_unit_issues(result.name, units, spec), *_gap_issues(result.name, gaps, spec)]


def _unit_issues(name: str, units: dict[str, str | None], spec: ResultSpec) -> list[Issue]:
    issues = []
    for part, wanted in spec.units.items():
        if part not in units:
            issues.append(Issue("declared part is missing", f"{name}.{part}", closest(part, units)))
        elif not _same_unit(units[part] or "1", wanted):
            issues.append(Issue("result in another unit", f"{name}.{part}", wanted, str(units[part] or "no unit")))
    return issues


def _same_unit(unit: Any, wanted: str) -> bool:
    try:
        return same_unit(str(unit), wanted)
    except UnitError:  # an array's attributes may say anything
        return False


def _gap_issues(name: str, gaps: list[str], spec: ResultSpec) -> list[Issue]:
    if spec.missing:
        return []
    wanted = "finite values, or `missing: true` in the front matter"
    return [Issue("missing or not finite", f"{name}.{part}", wanted) for part in gaps]


def decode_result(result: Result) -> Any:
    """Returns a result as the value that was declared: number, DataFrame, Dataset, or a figure's axes as JSON."""
    if isinstance(result, ScalarResult):
        return result.value
    if isinstance(result, TableResult):
        return _decode_table(result)
    if isinstance(result, DatasetResult):
        return _decode_dataset(result)
    assert isinstance(result, FigureResult)
    return result.axes


def _decode_table(result: TableResult) -> pd.DataFrame:
    kinds = {"number": "Float64", "integer": "Int64", "boolean": "boolean", "text": "object"}
    columns = {}
    for column in result.columns:
        kind = "float64" if column.type == "number" else kinds[column.type]
        columns[column.name] = pd.Series(column.values, dtype=kind)
    frame = pd.DataFrame(columns)
    frame.attrs["units"] = {column.name: column.unit for column in result.columns if column.unit}
    return frame


def _decode_dataset(result: DatasetResult) -> xr.Dataset:
    variables = {
        name: xr.Variable(v.dims, decode_array(v, where=name), _attrs(v)) for name, v in result.variables.items()
    }
    coordinates = [name for name, v in result.variables.items() if v.coordinate]
    return xr.Dataset(variables, attrs=result.attrs).set_coords(coordinates)


def _attrs(variable: ArrayVariable) -> dict[str, Any]:
    return {name: value for name, value in variable.attrs.items() if name != _STORED_AS}


def decode_array(variable: ArrayVariable, *, where: str = "") -> np.ndarray[Any, Any]:
    """Returns an array as it was declared.

    Raises:
        ResultError: The data cannot be unpacked, do not fit dimensions and shape, or would unpack into too much.
    """
    try:
        return _decode_array(variable)
    except (ValueError, TypeError, zlib.error) as error:  # of base64, zlib and NumPy
        raise ResultError("an array that cannot be read", where=where, got=str(error)) from None


def _decode_array(variable: ArrayVariable) -> np.ndarray[Any, Any]:
    if len(variable.dims) != len(variable.shape):
        raise ValueError(f"{len(variable.dims)} dimensions for a shape of {len(variable.shape)}")
    if variable.dtype == "text":
        if isinstance(variable.data, str):
            raise ValueError("texts must be a list")
        return np.array(variable.data, dtype=object).reshape(variable.shape)
    if not isinstance(variable.data, str):
        raise ValueError("binary data must be a base64 text")
    kind = np.dtype(variable.dtype)
    if kind.kind not in "biufc":
        raise ValueError(f"arrays of type {variable.dtype} cannot be embedded")
    size = math.prod(variable.shape) * kind.itemsize
    if size > _LARGEST_ARRAY_BYTES:
        raise ValueError(f"an array of {size} bytes is too large to be embedded")
    raw = zlib.decompressobj().decompress(base64.b64decode(variable.data), size + 1)
    if len(raw) != size:
        raise ValueError(f"{len(raw)} bytes of data for an array of {size} bytes")
    array = np.frombuffer(raw, dtype=variable.dtype).reshape(variable.shape)
    stored_as = variable.attrs.get(_STORED_AS)
    return array.view(stored_as) if isinstance(stored_as, str) and kind == np.dtype("<i8") else array
