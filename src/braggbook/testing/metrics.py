"""What every metric with an id must do: checks that know nothing but its definition.

Each check is a plain function of a :class:`~braggbook.metrics.definitions.Definition` and raises AssertionError. All of
them are in :data:`CHECKS`, for any runner::

    @pytest.mark.parametrize("name", CHECKS)
    def test_my_metric(name):
        CHECKS[name](definition("my_metric@1"))

or, without one, ``check_metric(definition("my_metric@1"))``.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from braggbook.errors import InputError
from braggbook.metrics.definitions import OF_DATA, OF_DATA_SQUARED, VERDICTS, Definition, EmptyPolicy
from braggbook.metrics.scoring import score
from braggbook.testing.archive.expect import equal, expect, raises
from braggbook.testing.metric_samples import SPACING_MM, broken_samples, sample_of
from braggbook.units import parse_unit

Check = Callable[[Definition], None]
CHECKS: dict[str, Check] = {}
_ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*@[1-9][0-9]*")
_CLOSE = 1e-9  # of scores near 1: what an order of summation leaves
_SITUATIONS = ("both", "only_reference", "only_estimate")
_ANYTHING = (-math.inf, math.inf)
_DIMENSION = {"mm": 1, "cm3": 3, "1": 0}  # power of a length in the units that metrics of masks have


def check_metric(metric: Definition) -> None:
    """Runs all checks.

    Raises:
        AssertionError: With what each failing check says.
    """
    failed = []
    for name, check in CHECKS.items():
        try:
            check(metric)
        except Exception as error:  # whatever a metric does wrong, the others are still checked
            failed.append(f"{name}: {type(error).__name__}: {error}")
    expect(not failed, "\n".join(failed))


def example_options(metric: Definition) -> dict[str, Any]:
    """Returns the example of every option of a metric."""
    return {option.name: option.example for option in metric.options}


def _check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


def _ask(metric: Definition, reference: Any, estimate: Any, **others: Any) -> float | None:
    spacing = {"spacing_mm": SPACING_MM} if metric.kind == "masks" else {}
    return score(metric, reference, estimate, **{**spacing, "case": "c1", **example_options(metric), **others})


def _score(metric: Definition, reference: Any, estimate: Any, **others: Any) -> float | None:
    """Scores what must have a score, or none by a policy."""
    try:
        return _ask(metric, reference, estimate, **others)
    except InputError as error:
        raise AssertionError(f"something legal is refused: {error}") from error


def _number(metric: Definition, reference: Any, estimate: Any, **others: Any) -> float:
    found = _score(metric, reference, estimate, **others)
    if found is None:
        raise AssertionError("no score of an ordinary case")
    return found


@_check
def is_well_formed(metric: Definition) -> None:
    """Its id, its texts, its unit and its options can be used."""
    expect(_ID.fullmatch(metric.id) is not None, f"not an id: {metric.id}")
    expect(bool(metric.says.strip() and metric.source.strip()), "it does not say what it is, or whom it is from")
    if metric.unit not in (OF_DATA, OF_DATA_SQUARED):
        parse_unit(metric.unit)
    parse_unit(metric.unit_for("1/Gy"))
    taken = set(inspect.signature(score).parameters)
    for option in metric.options:
        expect(option.name not in taken, f"score() has an argument {option.name} of its own")
        expect(option.issue(option.example) is None, f"the example of {option.name} is out of its range")
    equal(metric.issues(example_options(metric), empty=None), [], "issues with its own examples")
    if metric.kind == "masks":
        equal(metric.issues(example_options(metric), empty=metric.empty), [], "issues with its own policy")
    expect(metric.no_value != "worst" or metric.worst is not None, "it counts as the worst, and has none")


@_check
def a_perfect_answer_gets_the_perfect_score(metric: Definition) -> None:
    """The truth itself, or intervals that hold what they claim."""
    sample, perfect = sample_of(metric), metric.perfect_for(example_options(metric))
    found = [_number(metric, sample.reference, answer) for answer in sample.perfect]
    expect(any(abs(value - perfect) <= _CLOSE for value in found), f"wanted {perfect}, got {found}")


@_check
def a_better_answer_gets_a_better_score(metric: Definition) -> None:
    """Answers that get worse and worse get no better scores, and the last a worse one than the first."""
    sample, options = sample_of(metric), example_options(metric)
    perfect = metric.loss(metric.perfect_for(options), options)
    losses = [perfect, *(metric.loss(_number(metric, sample.reference, one), options) for one in sample.worsening)]
    rising = all(first <= second + _CLOSE for first, second in pairwise(losses))
    expect(rising and losses[-1] > perfect, f"losses of answers that get worse: {losses}")


@_check
def no_score_is_out_of_bounds_or_worse_than_the_worst(metric: Definition) -> None:
    """Whatever the answer."""
    sample, options = sample_of(metric), example_options(metric)
    low, high = (limit if end is None else end for end, limit in zip(metric.bounds, _ANYTHING, strict=True))
    grid = {"shape": sample.reference.shape, "spacing_mm": SPACING_MM} if metric.kind == "masks" else {}
    worst = metric.worst_for(options, **grid)
    for answer in (*sample.perfect, *sample.worsening, *sample.odd):
        found = _score(metric, sample.reference, answer)
        if found is None:
            continue
        expect(math.isfinite(found) and low <= found <= high, f"{found} is not between {metric.bounds}")
        inside = worst is None or metric.loss(found, options) <= metric.loss(worst, options) + _CLOSE
        expect(inside, f"{found} is worse than the worst, {worst}")


@_check
def it_is_symmetric_if_it_says_so(metric: Definition) -> None:
    """Reference and estimate may change places, or not."""
    if metric.kind in ("intervals", "probabilities", "doses"):
        expect(not metric.symmetric, f"reference and estimate of {metric.kind} cannot change places")
        return
    sample = sample_of(metric)
    others = (*sample.worsening, *sample.odd)
    pairs = [(_or_refused(metric, sample.reference, one), _or_refused(metric, one, sample.reference)) for one in others]
    same = all(
        one == other if isinstance(one, str) or isinstance(other, str) else math.isclose(one, other, rel_tol=_CLOSE)
        for one, other in pairs
    )
    equal(same, metric.symmetric, f"symmetric; scores of both orders: {pairs}")


def _or_refused(metric: Definition, reference: Any, estimate: Any) -> float | str:
    """Returns the score, or in words that there is none."""
    try:
        found = _ask(metric, reference, estimate)
    except InputError:
        return "refused"
    return "not applicable" if found is None else found


@_check
def what_is_no_number_is_refused(metric: Definition) -> None:
    """NaN, infinity, text and what is missing, on either side: an error that names the case, never a score."""
    for reference, estimate in broken_samples(metric):
        error = raises(InputError, lambda given=(reference, estimate): _ask(metric, *given))  # type: ignore[misc]
        expect("c1" in str(error) and metric.id in str(error), f"the message names no metric or case: {error}")


@_check
def options_are_checked(metric: Definition) -> None:
    """One too many, one missing and one that is NaN are refused."""
    sample = sample_of(metric)
    pair = sample.reference, sample.perfect[0]
    raises(InputError, lambda: _ask(metric, *pair, no_such_option=1.0))
    for option in metric.options:
        raises(InputError, lambda name=option.name: _ask(metric, *pair, **{name: math.nan}))  # type: ignore[misc]
        rest = {name: value for name, value in example_options(metric).items() if name != option.name}
        spacing = {"spacing_mm": SPACING_MM} if metric.kind == "masks" else {}
        raises(InputError, lambda chosen=rest, at=spacing: score(metric, *pair, **at, **chosen))  # type: ignore[misc]


@_check
def it_grows_with_the_voxels_as_its_unit_says(metric: Definition) -> None:
    """Larger voxels make a score in mm as much larger, and one in cm3 by the third power; mm of options grow too."""
    if metric.kind != "masks":
        return
    sample, options, factor = sample_of(metric), example_options(metric), 2.0
    larger = {name: value * factor if name.endswith("_mm") else value for name, value in options.items()}
    for answer in sample.worsening:
        one = _number(metric, sample.reference, answer)
        spacing = [step * factor for step in SPACING_MM]
        other = _number(metric, sample.reference, answer, spacing_mm=spacing, **larger)
        wanted = one * factor ** _DIMENSION[metric.unit]
        expect(math.isclose(other, wanted, rel_tol=_CLOSE, abs_tol=_CLOSE), f"wanted {wanted}, got {other}")


@_check
def empty_masks_count_as_the_policy_says(metric: Definition) -> None:
    """In every situation, under every policy that the metric can have."""
    if metric.kind != "masks":
        return
    full = sample_of(metric).reference
    none, options = np.zeros_like(full), example_options(metric)
    worst = metric.worst_for(options, shape=full.shape, spacing_mm=SPACING_MM)
    words: Mapping[str, float | None] = {
        "perfect": metric.perfect_for(options), "worst": worst, "not_applicable": None,
    }  # fmt: skip
    masks = {"both": (none, none), "only_reference": (none, full), "only_estimate": (full, none)}
    for situation in _SITUATIONS:
        for said in (*VERDICTS, 0.25, None):
            policy = None if said is None else EmptyPolicy(**{**_harmless(metric), situation: said})
            if policy is not None and metric.issues(options, empty=policy):
                raises(InputError, lambda pair=masks[situation], p=policy: _ask(metric, *pair, empty=p))  # type: ignore[misc]
                continue
            verdict = getattr(policy or metric.empty, situation)
            found = _score(metric, *masks[situation], empty=policy)
            if verdict == "value":
                expect(found is not None and math.isfinite(found), f"{situation}: no value, but {found}")
            else:
                equal(found, words.get(verdict, verdict), f"{situation} under {verdict!r}")


def _harmless(metric: Definition) -> dict[str, Any]:
    """A policy that every metric can have, to change one situation of."""
    return dict.fromkeys(_SITUATIONS, "not_applicable") if metric.kind == "masks" else {}
