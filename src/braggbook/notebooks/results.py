"""Declaring a result in a notebook: ``bb.result(name, value, unit=...)``.

The value shows itself in Jupyter, and the same display output carries it as JSON under Braggbook's own MIME type, so
that the executed notebook alone is enough to read it back.
"""

from __future__ import annotations

import base64
import json
import math
import os
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from braggbook.errors import ResultError
from braggbook.formats.common import SLUG, issues_from
from braggbook.formats.result import MIME, RESULTS_VARIABLE, Result, result_adapter
from braggbook.notebooks.show import as_html, as_text

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_PAIR = 2
_LARGEST_BYTES = 64 << 20  # a notebook that carries more can hardly be opened


def result(
    name: str,
    value: Any,
    *,
    unit: str | None = None,
    uncertainty: float | None = None,
    interval: Any = None,
    units: Mapping[str, str] | None = None,
    alt: str = "",
) -> None:
    """Declares a result of the experiment.

    Args:
        name: The name under which the front matter declares it, ``[a-z][a-z0-9_]*``.
        value: A number, a :class:`pandas.DataFrame`, an :class:`xarray.Dataset` or ``DataArray``, or a figure.
        unit: Of a number; "1" for a pure number. Required for numbers.
        uncertainty: Standard uncertainty (k = 1) of a number, in ``unit``.
        interval: ``(lower, upper)`` at 95 %, or an object with ``lower``, ``upper``, ``level`` and ``method``; an
            infinite or None limit says that the interval is not bounded there.
        units: Of a table's columns, over the ones in ``value.attrs["units"]``.
        alt: One sentence that says what a figure shows to someone who cannot see it.

    Raises:
        ResultError: The name or unit is not usable, the value is not finite or of no known kind.
    """
    declared = encode_result(
        name, value, unit=unit, uncertainty=uncertainty, interval=interval, units=units or {}, alt=alt
    )
    _emit(declared)


def encode_result(
    name: str,
    value: Any,
    *,
    unit: str | None,
    uncertainty: Any,
    interval: Any,
    units: Mapping[str, str],
    alt: str,
) -> Result:
    """Builds the result's JSON model; see :func:`result` for the arguments and errors."""
    if SLUG.fullmatch(name) is None:
        raise ResultError(
            "not a result's name", where=f"bb.result({name!r}, ...)", wanted="lower-case letters, digits, _"
        )
    payload: dict[str, Any] = {"name": name, "constants": _constants_read()}
    module = type(value).__module__.partition(".")[0]
    if module == "matplotlib":
        from braggbook.notebooks.figures import draw_figure  # noqa: PLC0415 - only a figure needs matplotlib

        payload |= draw_figure(value, name=name) | {"alt": alt}
    elif module == "pandas" and hasattr(value, "index") and hasattr(value, "attrs"):
        payload |= _table(value, dict(units), name)
    elif module == "xarray" and (hasattr(value, "data_vars") or hasattr(value, "to_dataset")):
        payload |= _dataset(value, name)
    else:
        payload |= _scalar(value, unit, uncertainty, interval, name)
    if payload["kind"] != "scalar" and any(part is not None for part in (unit, uncertainty, interval)):
        raise ResultError(
            "only a number has a unit, an uncertainty or an interval",
            where=f"bb.result({name!r}, ...)",
            wanted="units={column: unit} for a table, attrs['units'] for an array",
            got=payload["kind"],
        )
    try:
        return result_adapter.validate_python(payload)
    except ValidationError as error:
        issues = issues_from(error, where=name)
        raise ResultError(
            "a result that cannot be declared", where=f"bb.result({name!r}, ...)", issues=issues
        ) from None


def _constants_read() -> dict[str, float] | None:
    court = sys.modules.get("braggbook.radiobiology.constants")  # who has not imported it has read none
    return (court.constants_read() or None) if court else None


def _scalar(value: Any, unit: str | None, uncertainty: Any, interval: Any, name: str) -> dict[str, Any]:
    where = f"bb.result({name!r}, ...)"
    number = value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else value
    if not isinstance(number, bool | int | float):
        raise ResultError(
            "not a result's value",
            where=where,
            wanted="a number, DataFrame, Dataset or figure",
            got=type(value).__name__,
        )
    if not math.isfinite(number):
        raise ResultError("a result that is not finite", where=where, wanted="a finite number", got=repr(number))
    if unit is None:
        raise ResultError("a number without a unit", where=where, wanted='unit="Gy", or unit="1" for a pure number')
    payload: dict[str, Any] = {"kind": "scalar", "value": number, "unit": unit}
    if uncertainty is not None:
        payload["uncertainty"] = _float(uncertainty, "the uncertainty", where)
    if interval is not None:
        payload["interval"] = _interval(interval, where)
    return payload


def _interval(interval: Any, where: str) -> dict[str, Any]:
    if hasattr(interval, "lower") and hasattr(interval, "upper"):
        limits = (interval.lower, interval.upper)
        extra = {key: getattr(interval, key) for key in ("level", "method", "note") if hasattr(interval, key)}
    else:
        limits, extra = tuple(interval) if hasattr(interval, "__iter__") else (), {}
    if len(limits) != _PAIR:
        raise ResultError("not an interval", where=where, wanted="(lower, upper)", got=repr(interval))
    lower, upper = (None if limit is None else _float(limit, "a limit of the interval", where) for limit in limits)
    if lower == math.inf or upper == -math.inf or any(limit is not None and math.isnan(limit) for limit in limits):
        raise ResultError("not an interval", where=where, wanted="(lower, upper)", got=repr(interval))
    bounded = [None if limit is None or math.isinf(limit) else limit for limit in (lower, upper)]
    return {"lower": bounded[0], "upper": bounded[1], **extra}


def _float(value: Any, what: str, where: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ResultError(f"not a number: {what}", where=where, wanted="a number", got=repr(value)) from None


def _table(value: Any, units: dict[str, str], name: str) -> dict[str, Any]:
    import pandas as pd  # noqa: PLC0415 - only a notebook that declares a table pays for pandas

    frame: pd.DataFrame = value.to_frame() if isinstance(value, pd.Series) else value
    if not isinstance(frame.index, pd.RangeIndex):
        try:
            frame = frame.reset_index()
        except ValueError as error:  # the index has the name of a column
            raise ResultError("not a table", where=f"bb.result({name!r}, ...)", got=str(error)) from None
    labels = set(map(str, frame.columns))
    if unknown := set(units) - labels:
        raise ResultError(
            "units of columns that are not there",
            where=f"bb.result({name!r}, ...)",
            got=", ".join(sorted(unknown)),
        )
    inherited = {name: unit for name, unit in value.attrs.get("units", {}).items() if name in labels}
    units = {**inherited, **units}
    columns = [_column(frame.iloc[:, i], units.get(str(label)), name) for i, label in enumerate(frame.columns)]
    return {"kind": "table", "columns": columns}


def _column(series: pd.Series[Any], unit: str | None, name: str) -> dict[str, Any]:
    from pandas.api import types  # noqa: PLC0415 - as above

    series = series.infer_objects()  # numbers in a column of objects are numbers, not texts
    missing = series.isna().tolist()
    values: list[Any]
    if types.is_bool_dtype(series.dtype):
        kind, values = "boolean", [None if gone else bool(v) for v, gone in zip(series, missing, strict=True)]
    elif types.is_integer_dtype(series.dtype):
        kind, values = "integer", [None if gone else int(v) for v, gone in zip(series, missing, strict=True)]
    elif types.is_float_dtype(series.dtype):
        kind, values = "number", [None if gone else float(v) for v, gone in zip(series, missing, strict=True)]
    else:
        kind, values = "text", [None if gone else str(v) for v, gone in zip(series, missing, strict=True)]
    if kind == "number" and any(v is not None and math.isinf(v) for v in values):
        raise ResultError(
            "a result that is not finite",
            where=f"bb.result({name!r}, ...)",
            got=f"inf in column {series.name}",
        )
    return {"name": str(series.name), "type": kind, "unit": unit, "values": values}


def _dataset(value: Any, name: str) -> dict[str, Any]:
    if value.nbytes > _LARGEST_BYTES:
        wanted = f"at most {_LARGEST_BYTES >> 20} MB, since the notebook carries it; write the rest to a file"
        got = f"{value.nbytes >> 20} MB"
        raise ResultError("too large for a declared result", where=f"bb.result({name!r}, ...)", wanted=wanted, got=got)
    dataset: xr.Dataset = value if hasattr(value, "data_vars") else value.to_dataset(name=value.name or name)
    variables = {
        str(key): _variable(variable, coordinate=key in dataset.coords, where=f"bb.result({name!r}, ...): {key}")
        for key, variable in dataset.variables.items()
    }
    return {"kind": "dataset", "variables": variables, "attrs": _plain(dataset.attrs)}


def _variable(variable: xr.Variable, *, coordinate: bool, where: str) -> dict[str, Any]:
    import numpy as np  # noqa: PLC0415 - as above

    array = np.asarray(variable.values)
    head: dict[str, Any] = {
        "dims": list(map(str, variable.dims)),
        "shape": list(array.shape),
        "coordinate": coordinate,
    }
    head["attrs"] = _plain(variable.attrs)
    if array.dtype.kind in "OU" and all(isinstance(item, str) for item in array.ravel()):
        return {**head, "dtype": "text", "data": [str(item) for item in array.ravel()]}
    if array.dtype.kind not in "biufcmM":
        raise ResultError("not an array", where=where, wanted="numbers, texts or dates", got=str(array.dtype))
    if array.dtype.kind in "mM":  # dates and durations: whole counts of the unit that the type names
        head["attrs"] = {**head["attrs"], "numpy_dtype": array.dtype.newbyteorder("<").str}
        array = array.astype("int64")
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    data = base64.b64encode(zlib.compress(np.ascontiguousarray(little).tobytes(), 6)).decode()
    return {**head, "dtype": little.dtype.str, "data": data}


def _plain(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps({str(k): v for k, v in attrs.items()}, default=_number_or_text))
    return plain


def _number_or_text(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _emit(declared: Result) -> None:
    payload = declared.model_dump(mode="json", exclude_none=True)
    shell = sys.modules.get("IPython")
    if shell is not None and shell.get_ipython() is not None:
        # nbconvert and whatever else knows it reads the alt text there
        told = {"image/png": {"alt": declared.alt}} if declared.kind == "figure" and declared.alt else None
        shell.display.display(_bundle(declared, payload), raw=True, metadata=told)
        return
    sys.stdout.write(as_text(declared) + "\n")
    if path := os.environ.get(RESULTS_VARIABLE):
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(payload, ensure_ascii=False) + "\n")


def _bundle(declared: Result, payload: dict[str, Any]) -> dict[str, Any]:
    bundle: dict[str, Any] = {MIME: payload, "text/plain": as_text(declared)}
    if declared.kind == "figure":
        return {**bundle, "image/png": payload.pop("png")}
    return {**bundle, "text/html": as_html(declared)}
