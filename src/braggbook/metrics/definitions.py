"""Metrics by definition: an id that fixes everything a number depends on, and what counts where there is no number.

``hd95.voxel.directed_max.linear@1`` says which surface, which percentile and how it is read off; another rule is
another id, and a changed one another number behind the ``@``. A definition has a direction, bounds, a perfect and a
worst value, and a policy for empty masks, so that a score is a finite number or, where the policy says so, none: never
NaN.

A definition is made where its function is, by :func:`define`; :func:`definition` finds it by its id.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from braggbook.errors import DuplicateName, InputError, UnknownName, closest
from braggbook.metrics.masks import Mask, check_masks

Better = Literal["larger", "smaller"]
WhenEmpty = Literal["perfect", "worst", "not_applicable"]
WHEN_EMPTY: tuple[WhenEmpty, ...] = ("perfect", "worst", "not_applicable")
Worst = float | Literal["diagonal", "image"]
"""A number; ``diagonal``: in mm, from the outer corner of the image's first voxel to that of its last; ``image``: the
whole image's volume in cm3."""
_MM3_PER_CC = 1000.0


@dataclass(frozen=True)
class EmptyPolicy:
    """What counts where a mask is empty.

    Attributes:
        both: Reference and estimate are.
        only_reference: Nothing is there, and something was found.
        only_estimate: Something is there, and nothing was found.
    """

    both: WhenEmpty = "perfect"
    only_reference: WhenEmpty = "worst"
    only_estimate: WhenEmpty = "worst"


@dataclass(frozen=True)
class Definition:
    """One metric, completely.

    Attributes:
        id: ``name.rules@version``.
        says: What is calculated, in a sentence.
        unit: Of the score.
        better: Which of two scores is the better one.
        perfect: Score of the reference itself.
        worst: The worst score that there is, as :data:`Worst` says.
        source: Whom it is taken from.
        options: What a challenge has to choose, such as a tolerance in mm.
        empty: The policy where a challenge names none.
        function: Of reference, estimate, ``spacing_mm`` and the options.
    """

    id: str
    says: str
    unit: str
    better: Better
    perfect: float
    worst: Worst
    source: str
    options: tuple[str, ...]
    empty: EmptyPolicy
    function: Callable[..., float]

    def worst_for(self, shape: Sequence[int], spacing_mm: Sequence[float]) -> float:
        """Returns the worst score that there is on a grid."""
        edges = [size * step for size, step in zip(shape, spacing_mm, strict=True)]
        if self.worst == "diagonal":
            return math.hypot(*edges)
        if self.worst == "image":
            return math.prod(edges) / _MM3_PER_CC
        return float(self.worst)


_KNOWN: dict[str, Definition] = {}


def define(  # noqa: PLR0913 - a definition has that many parts
    id: str,
    *,
    says: str,
    unit: str,
    better: Better,
    perfect: float,
    worst: Worst,
    source: str,
    options: tuple[str, ...] = (),
    empty: EmptyPolicy = EmptyPolicy(),
) -> Callable[[Callable[..., float]], Callable[..., float]]:
    """Makes a function known as a metric, under an id.

    Raises:
        DuplicateName: Another one has this id.
    """

    def add(function: Callable[..., float]) -> Callable[..., float]:
        if (known := _KNOWN.get(id)) is not None:
            got = f"{known.function.__module__} and {function.__module__}"
            raise DuplicateName("two metrics of one id", where=id, got=got)
        _KNOWN[id] = Definition(id, says, unit, better, perfect, worst, source, options, empty, function)
        return function

    return add


def definitions() -> dict[str, Definition]:
    """Returns every metric of masks by its id, in the order of the ids."""
    import braggbook.metrics.segmentation  # noqa: F401, PLC0415 - the definitions' own home, which imports this module

    return dict(sorted(_KNOWN.items()))


def definition(id: str) -> Definition:
    """Returns a metric.

    Raises:
        UnknownName: None has this id.
    """
    known = definitions()
    if id not in known:
        raise UnknownName(f"no metric {id!r}", wanted=closest(id, known) or "braggbook list metric")
    return known[id]


def score(
    metric: Definition,
    reference: Any,
    estimate: Any,
    *,
    spacing_mm: Sequence[float],
    options: Mapping[str, float] | None = None,
    empty: EmptyPolicy | None = None,
) -> float | None:
    """Scores one case.

    Args:
        metric: Which.
        reference: Mask.
        estimate: Mask on the same grid.
        spacing_mm: Of the voxels.
        options: All that the metric wants, and nothing else.
        empty: Policy for empty masks; the metric's own where None.

    Returns:
        A finite number; None where the policy says that the metric does not apply to the case.

    Raises:
        InputError: Not two masks on one grid; options missing or too many.
    """
    first, second, spacing = check_masks(reference, estimate, spacing_mm)
    chosen = dict(options or {})
    if set(chosen) != set(metric.options):
        raise InputError(
            "not the options of the metric", where=metric.id, wanted=str(list(metric.options)), got=str(list(chosen))
        )
    verdict = _when_empty(first, second, empty or metric.empty)
    worst = metric.worst_for(first.shape, [float(step) for step in spacing])
    if verdict is not None:
        return {"perfect": metric.perfect, "worst": worst, "not_applicable": None}[verdict]
    value = metric.function(first, second, spacing_mm=spacing, **chosen)
    if not np.isfinite(value):
        raise InputError("a metric that gives no number", where=metric.id, got=str(value))
    return float(value)


def _when_empty(reference: Mask, estimate: Mask, policy: EmptyPolicy) -> WhenEmpty | None:
    there, found = bool(reference.any()), bool(estimate.any())
    if there and found:
        return None
    if there:
        return policy.only_estimate
    return policy.only_reference if found else policy.both
