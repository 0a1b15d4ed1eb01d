"""Comparing a declared result with its repetition, inside the tolerance that the notebook declared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from braggbook.formats.notebook import ResultSpec
from braggbook.formats.result import DatasetResult, FigureResult, Result, ScalarResult, TableResult
from braggbook.notebooks.decode import decode_array
from braggbook.notebooks.show import short_text


@dataclass(frozen=True)
class Comparison:
    """One result beside its repetition.

    Attributes:
        first: The result in the record, None if it is not there.
        second: Its repetition, None if there is none.
        spec: What the front matter declares, with the tolerance.
        same: Equal within the tolerance.
        identical: Equal to the last digit.
        where: The part that differs most (``value``, ``interval.lower``, ``survival[3]``), if any does.
        difference: By how much it differs there, in words.
    """

    name: str
    first: Result | None
    second: Result | None
    spec: ResultSpec
    same: bool
    identical: bool
    where: str = ""
    difference: str = ""

    @property
    def expected(self) -> str:
        """What the record has, in a few words."""
        return short_text(self.first) if self.first else "–"

    @property
    def actual(self) -> str:
        """What the repetition has, in a few words."""
        return short_text(self.second) if self.second else "–"

    @property
    def tolerance(self) -> str:
        """The tolerance in words."""
        return f"rtol {self.spec.rtol:g}, atol {self.spec.atol:g}"

    def as_json(self) -> dict[str, Any]:
        """Returns the comparison for ``--json``: numbers as numbers, larger results in words."""
        return {
            "name": self.name,
            "expected": _plain(self.first),
            "actual": _plain(self.second),
            "unit": self.spec.unit,
            "tolerance": {"rtol": self.spec.rtol, "atol": self.spec.atol},
            "same": self.same,
            "identical": self.identical,
            "where": self.where,
            "difference": self.difference,
        }


def _plain(result: Result | None) -> bool | float | str | None:
    if result is None:
        return None
    return result.value if isinstance(result, ScalarResult) else short_text(result)


@dataclass
class _Finding:
    where: str
    excess: float  # how many tolerances apart; inf where no number can tell
    text: str


def compare_results(
    expected: dict[str, Result], actual: dict[str, Result], specs: dict[str, ResultSpec]
) -> list[Comparison]:
    """Compares all results of a run with those of its repetition, in the order of the declaration."""
    names = [*specs, *(name for name in {**expected, **actual} if name not in specs)]
    rows = []
    for name in names:
        spec = specs.get(name, ResultSpec(unit="1"))
        if name in expected and name in actual:
            rows.append(_compare(expected[name], actual[name], spec))
        elif name in expected or name in actual:
            gone = "not there after repeating" if name in expected else "not there in the record"
            first, second = expected.get(name), actual.get(name)
            rows.append(Comparison(name, first, second, spec, same=False, identical=False, difference=gone))
    return rows


def _compare(expected: Result, actual: Result, spec: ResultSpec) -> Comparison:
    findings: list[_Finding] = []
    _walk(_parts(expected), _parts(actual), "", spec, findings)
    worst = max(findings, key=lambda finding: finding.excess, default=None)
    same = all(finding.excess <= 1 for finding in findings)
    where, text = (worst.where.lstrip("."), worst.text) if worst else ("", "")
    return Comparison(expected.name, expected, actual, spec, same, not findings, where, text)


def _parts(result: Result) -> dict[str, Any]:
    """Returns what counts of a result: not its drawing, not its caption."""
    if isinstance(result, DatasetResult):
        return {
            name: {"dims": v.dims, "units": v.attrs.get("units"), "values": decode_array(v)}
            for name, v in result.variables.items()
        }
    if isinstance(result, TableResult):
        return {column.name: {"unit": column.unit, "values": column.values} for column in result.columns}
    if isinstance(result, FigureResult):
        return {"axes": result.axes}
    assert isinstance(result, ScalarResult)
    return result.model_dump(exclude={"name", "kind"})


def _walk(expected: Any, actual: Any, where: str, spec: ResultSpec, findings: list[_Finding]) -> None:
    if isinstance(expected, np.ndarray) and isinstance(actual, np.ndarray):
        _arrays(expected, actual, where, spec, findings)
    elif isinstance(expected, dict) and isinstance(actual, dict):
        for key in {**expected, **actual}:
            if key in expected and key in actual:
                _walk(expected[key], actual[key], f"{where}.{key}", spec, findings)
            else:
                findings.append(_Finding(f"{where}.{key}", math.inf, "only in one of the two"))
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            findings.append(_Finding(where, math.inf, f"{len(expected)} values against {len(actual)}"))
            return
        for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
            _walk(one, other, f"{where}[{index}]", spec, findings)
    elif _is_number(expected) and _is_number(actual):
        _numbers(expected, actual, where, spec, findings)
    elif expected != actual or isinstance(expected, bool) != isinstance(actual, bool):
        findings.append(_Finding(where, math.inf, f"{expected!r} against {actual!r}"))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(expected: float, actual: float, where: str, spec: ResultSpec, findings: list[_Finding]) -> None:
    # 2 and 2.0 are one number written twice; 2 and 2.0000001 are not
    if expected == actual:
        return
    difference = abs(actual - expected)
    allowed = spec.atol + spec.rtol * abs(expected)
    excess = difference / allowed if allowed else math.inf
    findings.append(_Finding(where, excess, _apart(expected, actual)))


def _apart(expected: complex, actual: complex) -> str:
    difference = abs(actual - expected)
    size = f"{difference / abs(expected):.2g} of it" if expected else f"{difference:.3g}"
    return f"{expected!r} against {actual!r}: differs by {size}"


def _arrays(
    expected: np.ndarray[Any, Any],
    actual: np.ndarray[Any, Any],
    where: str,
    spec: ResultSpec,
    findings: list[_Finding],
) -> None:
    if expected.shape != actual.shape or expected.dtype.kind != actual.dtype.kind:
        text = f"{expected.dtype}{list(expected.shape)} against {actual.dtype}{list(actual.shape)}"
        findings.append(_Finding(where, math.inf, text))
        return
    if expected.dtype.kind not in "fc":
        equal = expected == actual
        if expected.dtype.kind in "mM":
            equal |= np.isnat(expected) & np.isnat(actual)
        if not np.all(equal):
            at = _first(~np.asarray(equal))
            findings.append(_Finding(f"{where}{list(at)}", math.inf, f"{expected[at]!r} against {actual[at]!r}"))
        return
    gaps = np.isnan(expected) != np.isnan(actual)
    if gaps.any():
        findings.append(_Finding(f"{where}{list(_first(gaps))}", math.inf, "missing in one of the two"))
        return
    unbounded = (np.isinf(expected) | np.isinf(actual)) & (expected != actual)
    if unbounded.any():  # no tolerance reaches from infinity to anything else
        at = _first(unbounded)
        findings.append(_Finding(f"{where}{list(at)}", math.inf, f"{expected[at]!r} against {actual[at]!r}"))
        return
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        difference = np.abs(actual - expected)
        allowed = spec.atol + spec.rtol * np.abs(expected)
        excess = np.where(difference > 0, difference / allowed, 0)  # without any tolerance infinitely many apart
    if excess.size and np.nanmax(excess) > 0:
        at = tuple(int(i) for i in np.unravel_index(int(np.nanargmax(excess)), excess.shape))
        place = f"{where}{list(at)}"
        text = _apart(expected[at].item(), actual[at].item())
        findings.append(_Finding(place, float(excess[at]), text))


def _first(mask: np.ndarray[Any, Any]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0])
