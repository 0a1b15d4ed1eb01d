"""Golden scores of metrics: a file of inputs and of what every metric says of them, to be repeated by any code.

The file (``tests/unit/metrics/golden.json``, made by ``scripts/make_golden_metrics.py``) holds ``cases`` by name and
``scores`` by metric and case. Inputs are plain: a mask is a list of boxes, each with the first and the end index along
every axis; other kinds are numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from braggbook.imaging.dose import from_cumulative
from braggbook.imaging.geometry import Grid
from braggbook.imaging.volumes import make_volume
from braggbook.metrics.definitions import Definition, definitions
from braggbook.metrics.scoring import score
from braggbook.radiobiology.linear_quadratic import LqParameters


def golden_scores(cases: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """Scores all cases by all metrics of their kind and scope, with the case's options, else each option's example.

    Args:
        cases: As the file has them.

    Returns:
        Scores by metric and case.
    """
    return {
        id: {
            name: _score(metric, name, case)
            for name, case in cases.items()
            if (case["kind"], case["scope"]) == (metric.kind, metric.scope) and id not in case.get("without", ())
        }
        for id, metric in definitions().items()
    }


def _score(metric: Definition, name: str, case: Mapping[str, Any]) -> float | None:
    own = case.get("options", {})
    options: dict[str, Any] = {option.name: own.get(option.name, option.example) for option in metric.options}
    reference, estimate, spacing = read_inputs(case)
    return score(metric, reference, estimate, case=name, **spacing, **options)


def read_inputs(case: Mapping[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """Makes reference and estimate of a case, and the spacing where it has one."""
    if case["kind"] == "masks":
        reference, estimate = (_mask(case["shape"], case[side]) for side in ("reference", "estimate"))
        return reference, estimate, {"spacing_mm": case["spacing_mm"]}
    if case["kind"] == "intervals":
        lower, upper = case["estimate"]
        return case["reference"], (lower, upper), {}
    make = _MAKERS.get(case["kind"], _as_it_is)
    return make(case["reference"], case), make(case["estimate"], case), {}


def _as_it_is(given: Any, _case: Mapping[str, Any]) -> Any:
    return given


def _mask(shape: list[int], boxes: list[list[list[int]]]) -> Any:
    mask = np.zeros(shape, np.bool_)
    for box in boxes:
        mask[tuple(slice(*part) for part in box)] = True
    return mask


def _dose(given: list[list[list[float]]], case: Mapping[str, Any]) -> Any:
    data = np.array(given)
    z, y, x = data.shape
    step_z, step_y, step_x = case["spacing_mm"]
    grid = Grid.from_axes((z, y, x), spacing_mm=(step_z, step_y, step_x))
    return make_volume(data, grid, name="dose", units="Gy")


_MAKERS: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "curves": lambda given, _: LqParameters(**given),
    "histograms": lambda given, _: from_cumulative(given["dose_gy"], volume_cc=given["volume_cc"]),
    "doses": _dose,
}
