"""Scores: what a definition says of one case, of many, or of all together.

What ``reference`` and ``estimate`` are depends on the kind of the metric:

- ``masks``: arrays with ``spacing_mm``, or volumes (:mod:`braggbook.metrics.masks`).
- ``numbers``: a number each; for a metric of all cases, lists.
- ``intervals``: a number, and a tuple of the lower and the upper end; for all cases, a list and a tuple of two lists.
- ``labels``: a label each; for all cases, lists.
- ``probabilities``: a list of labels, and a list of probabilities of the label ``positive``.
- ``doses``: volumes in Gy. ``histograms``: :class:`braggbook.imaging.dose.Histogram`.
- ``curves``: :class:`braggbook.radiobiology.linear_quadratic.LqParameters`.

Lists that have keys (a mapping, a pandas Series with its index) are put into one order by their keys.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from braggbook.errors import InputError, Issue, NoValue
from braggbook.metrics.definitions import Definition, EmptyPolicy, Verdict, definition
from braggbook.metrics.mask_pair import MaskPair
from braggbook.metrics.masks import Floats

_SHOWN = 5  # cases in a message
_ROUNDING = 1e-12  # a score that is so near to a bound is on it: sums of many cases leave more than that


def score(
    metric: str | Definition,
    reference: Any,
    estimate: Any,
    *,
    spacing_mm: Sequence[float] | Floats | None = None,
    empty: EmptyPolicy | None = None,
    case: str = "",
    **options: Any,
) -> float | None:
    """Scores one case, or all cases together, as the metric is.

    Args:
        metric: Its id, or the metric.
        reference: The truth, as the metric's kind is.
        estimate: What is scored, in the same way.
        spacing_mm: Of the voxels (z, y, x) or (y, x), for masks that are arrays.
        empty: Policy for empty masks; the metric's own where None.
        case: Its name, for messages.
        options: All that the metric wants, and nothing else.

    Returns:
        A finite number; None where the policy says that the metric does not apply to the case.

    Raises:
        UnknownName: No such metric.
        InputError: Not a reference and an estimate of the metric's kind, or options that are missing, too many or out
            of their range; it names the metric and the case.
    """
    asked = _Asked(_definition(metric), options, empty)
    return _answers([asked], _Given(reference, estimate, spacing_mm, case))[0]


def scores(
    metrics: Sequence[str] | Mapping[str, Mapping[str, Any]],
    reference: Any,
    estimate: Any,
    *,
    spacing_mm: Sequence[float] | Floats | None = None,
    empty: Mapping[str, EmptyPolicy] | None = None,
    case: str = "",
) -> dict[str, float | None]:
    """Scores one case by several metrics of one kind; surfaces of masks are found once for all of them.

    Args:
        metrics: Ids, or options by id.
        reference: As in :func:`score`.
        estimate: The same.
        spacing_mm: The same.
        empty: Policies by id.
        case: Its name, for messages.

    Returns:
        What :func:`score` returns, by id.

    Raises:
        UnknownName: No such metric.
        InputError: As :func:`score` does; metrics of several kinds.
    """
    chosen = metrics if isinstance(metrics, Mapping) else {id: {} for id in metrics}
    policies = empty or {}
    if unasked := policies.keys() - chosen.keys():
        raise InputError("policies for metrics that are not asked for", where="empty", got=", ".join(sorted(unasked)))
    asked = [_Asked(definition(id), options, policies.get(id)) for id, options in chosen.items()]
    if len(kinds := sorted({one.metric.kind for one in asked})) > 1:
        raise InputError("metrics of several kinds", wanted="one kind of reference and estimate", got=", ".join(kinds))
    return dict(zip(chosen, _answers(asked, _Given(reference, estimate, spacing_mm, case)), strict=True))


def score_cases(metric: str | Definition, reference: Any, estimate: Any, **options: Any) -> dict[str, float | None]:
    """Scores many cases by a metric that has one score for each.

    Args:
        metric: Its id, or the metric.
        reference: By case: a mapping, or a pandas Series with the cases as its index.
        estimate: The same, in any order; for intervals a tuple of two such.
        options: As in :func:`score`.

    Returns:
        What :func:`score` returns, by case, in the order of the reference.

    Raises:
        UnknownName: No such metric.
        InputError: Other cases than the reference's, or some of them twice; as :func:`score` does.
    """
    found = _definition(metric)
    if found.scope != "case":
        raise InputError("a metric of all cases together", where=found.id, wanted="score(...)", got="score_cases(...)")
    parts = estimate if isinstance(estimate, tuple) else (estimate,)
    keyed = _by_case({"reference": reference, **_named(parts)})
    if keyed is None:
        raise InputError("no cases", where=found.id, wanted="mappings, or pandas Series with the cases as index")
    true, *said = keyed
    return {
        case: score(
            found,
            true[case],
            tuple(part[case] for part in said) if isinstance(estimate, tuple) else said[0][case],
            case=str(case),
            **options,
        )
        for case in true
    }


@dataclass(frozen=True)
class _Asked:
    """A metric, with what was chosen for it."""

    metric: Definition
    options: Mapping[str, Any]
    empty: EmptyPolicy | None


@dataclass(frozen=True)
class _Given:
    """What is scored."""

    reference: Any
    estimate: Any
    spacing_mm: Sequence[float] | Floats | None
    case: str


def _definition(metric: str | Definition) -> Definition:
    return definition(metric) if isinstance(metric, str) else metric


def _answers(asked: Sequence[_Asked], given: _Given) -> list[float | None]:
    """Prepares what is given once, and scores it by every metric of one kind; errors name the metrics and the case."""
    try:
        issues = [issue for one in asked for issue in one.metric.issues(one.options, empty=one.empty)]
        if issues:
            raise InputError("not what the metric wants", issues=issues)
        if not asked or asked[0].metric.kind == "masks":
            return _of_masks(asked, given)
        if given.spacing_mm is not None:
            raise InputError("only masks have a spacing", where="spacing_mm", got=asked[0].metric.kind)
        return [_of_others(one, given) for one in asked]
    except InputError as error:
        names = ", ".join(one.metric.id for one in asked)
        what = f"no score by {names}" + (f" of case {given.case}" if given.case else "")
        causes = error.issues or [Issue(error.what, error.where, error.wanted, error.got)]
        raise InputError(what, issues=causes, next_command=error.next_command) from error


def _of_masks(asked: Sequence[_Asked], given: _Given) -> list[float | None]:
    needs = any(one.metric.needs_spacing for one in asked)
    pair = MaskPair.of(given.reference, given.estimate, given.spacing_mm, needs_spacing=needs)
    situation = pair.situation()
    found: list[float | None] = []
    for metric, options, empty in ((one.metric, one.options, one.empty) for one in asked):
        verdict: Verdict | float = "value" if situation is None else getattr(empty or metric.empty, situation)
        if verdict == "value":
            found.append(_number(metric, metric.function(pair, **options)))
        else:
            worst = metric.worst_for(options, shape=pair.reference.shape, spacing_mm=pair.spacing_mm.tolist())
            found.append(_said(verdict, metric.perfect_for(options), worst))
    return found


def _of_others(asked: _Asked, given: _Given) -> float | None:
    metric, options = asked.metric, asked.options
    prepared = _PREPARE[metric.kind, metric.scope](given.reference, given.estimate)
    try:
        with np.errstate(all="ignore"):  # what comes of it is refused
            return _number(metric, metric.function(*prepared, **options))
    except NoValue:
        if metric.no_value == "value":
            raise
        return _said(metric.no_value, metric.perfect_for(options), metric.worst_for(options))


def _said(verdict: Verdict | float, perfect: float, worst: float | None) -> float | None:
    """Returns what a policy's word stands for."""
    if isinstance(verdict, str):
        return {"perfect": perfect, "worst": worst}.get(verdict)
    return float(verdict)


def _number(metric: Definition, value: float) -> float:
    if not math.isfinite(value):
        raise InputError("numbers too large or too small to be scored", where=metric.id, got=str(value))
    for end in metric.bounds:
        if end is not None and abs(value - end) <= _ROUNDING:
            return end
    return float(value)


def _one_number(given: Any, what: str) -> float:
    array = np.asarray(given)
    if array.ndim or array.dtype.kind not in "uif" or not np.isfinite(array):
        raise InputError("not a finite number", where=what, got=repr(given))
    return float(array)


def _pair_of_ends(estimate: Any) -> tuple[Any, Any]:
    if not isinstance(estimate, tuple) or len(estimate) != 2:
        wanted = "a tuple of the lower and the upper end (of two lists, for all cases together)"
        raise InputError("not an interval", where="estimate", wanted=wanted, got=type(estimate).__name__)
    return estimate


def _named(parts: tuple[Any, ...]) -> dict[str, Any]:
    names = ("estimate",) if len(parts) == 1 else tuple(f"estimate, part {n + 1}" for n in range(len(parts)))
    return dict(zip(names, parts, strict=True))


def _by_case(parts: Mapping[str, Any]) -> list[dict[Any, Any]] | None:
    """Returns what has keys by them, checked to be the same everywhere; None where nothing has any."""
    if not any(hasattr(part, "items") for part in parts.values()):
        return None
    issues, found = [], []
    for name, part in parts.items():
        rows = list(part.items()) if hasattr(part, "items") else []
        found.append(dict(rows))
        if not hasattr(part, "items"):
            issues.append(Issue("a list without cases", name, "cases, as the others have", type(part).__name__))
        if len(found[-1]) < len(rows):
            issues.append(Issue("cases that are there twice", name, got=str(len(rows) - len(found[-1]))))
        for what, cases in (
            ("missing", found[0].keys() - found[-1].keys()),
            ("not known", found[-1].keys() - found[0]),
        ):
            if cases and not (what == "missing" and not rows):
                some = ", ".join(sorted(map(str, cases))[:_SHOWN])
                issues.append(Issue(f"cases that are {what}", name, got=f"{len(cases)}: {some}"))
    if issues:
        raise InputError("other cases than the reference's", issues=issues)
    return found


def _lists(reference: Any, *estimate: Any) -> tuple[Any, ...]:
    keyed = _by_case({"reference": reference, **_named(estimate)})
    if keyed is None:
        return (reference, *estimate)
    order = list(keyed[0])
    return tuple([part[case] for case in order] for part in keyed)


def _case_interval(reference: Any, estimate: Any) -> tuple[list[float], list[float], list[float]]:
    lower, upper = _pair_of_ends(estimate)
    return (
        [_one_number(reference, "reference")],
        [_one_number(lower, "lower end")],
        [_one_number(upper, "upper end")],
    )


_PREPARE: Mapping[tuple[str, str], Callable[[Any, Any], tuple[Any, ...]]] = {
    ("numbers", "case"): lambda true, said: (_one_number(true, "reference"), _one_number(said, "estimate")),
    ("numbers", "all"): _lists,
    ("intervals", "case"): _case_interval,
    ("intervals", "all"): lambda true, said: _lists(true, *_pair_of_ends(said)),
    ("labels", "case"): lambda true, said: ([true], [said]),
    ("labels", "all"): _lists,
    ("probabilities", "all"): _lists,
    ("doses", "case"): lambda true, said: (true, said),
    ("histograms", "case"): lambda true, said: (true, said),
    ("curves", "case"): lambda true, said: (true, said),
}
