"""Several codes against each other at the same depth: a consensus, how far each is from it, and who is the outlier.

Curves are compared only when they are of one kind: the same quantity, averaging, particles, medium and normalisation.
Two definitions of LET are both right and differ by a fifth at one point, so mixing them must be allowed by name.

How far two codes are apart is the root mean square of ln(a/b) over the depths of the comparison (for small differences
the relative difference). A code is an outlier when its median distance to the others is more than ``ratio`` times the
median distance of the others among themselves, and more than ``tolerance``: it is far, and they are close. Whoever is
found is set aside and the rest looked at again, while three are left. With two codes one can say that they differ, not
who is wrong.

The consensus is the median of all codes at each depth, its spread 1.4826 times the median absolute deviation (the
standard deviation, if the codes were normally distributed): neither is moved by one code that is far off.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from braggbook.errors import Issue, ScienceError, UnitError, unknown_name
from braggbook.radiobiology.arguments import (
    ABOVE_ZERO,
    FINITE,
    Floats,
    Rule,
    checked,
    checked_scalars,
    increasing,
)
from braggbook.radiobiology.beams.depth_curve import (
    KIND,
    NOT_APPLICABLE,
    DepthCurve,
    differing,
    listed,
    resampling_matrix,
)
from braggbook.radiobiology.beams.difference import Difference, distance, explain
from braggbook.radiobiology.beams.let_units import dose_factor, proton_let_warnings

Normalise = Literal["none", "peak"]

_NORMAL_MAD = 1.482602218505602  # standard deviation over median absolute deviation of a normal distribution
_FEWEST_TO_JUDGE = 3
_SHALLOW = 0.1  # of the largest consensus: below it a density is tail, and its logarithm noise
_MOST_BINS = 20_000
_MM_PER_CM = 10.0
_TENTH_WITHIN = 0.1  # logarithm; bins at the ends may differ
_ONE_OR_MORE = Rule("a finite number, 1 or more", lambda x: (x >= 1) & np.isfinite(x))
_ALLOWED = tuple(name for name in KIND if name != "quantity")


@dataclass(frozen=True)
class Outlier:
    """A code that stands apart.

    Attributes:
        code: Its name.
        distance: Its median distance to the others (root mean square of the logarithm of the ratio).
        rest_distance: Median distance of the others among themselves.
        reason: In what it differs, in words and numbers.
        difference: The numbers behind the reason.
    """

    code: str
    distance: float
    rest_distance: float
    reason: str
    difference: Difference


@dataclass(frozen=True, eq=False)
class Reconciliation:
    """Several codes on common depths.

    Attributes:
        quantity: What was compared, with averaging, particles and medium, in one line.
        units: Unit of the values.
        curves: Table with a row per depth: depth_mm, consensus, spread, compared (whether the depth counts), and a
            column per code.
        uncertainties: Table with a row per depth: depth_mm and a column per code that states its uncertainty.
        codes: Table with a row per code: code, offset_mm (by how much it was moved), distance (median to the
            others), rest_distance, ratio (of the two; NaN with two codes, and where both are 0), bias (median of
            value / consensus of the others), noise (root mean square of its relative uncertainty, NaN when it states
            none), outlier.
        outliers: Who stands apart and why, the furthest first.
        warnings: What a reader must know, one sentence each.
    """

    quantity: str
    units: str
    curves: pd.DataFrame
    uncertainties: pd.DataFrame
    codes: pd.DataFrame
    outliers: tuple[Outlier, ...]
    warnings: tuple[str, ...]

    @property
    def depth_mm(self) -> Floats:
        """Common depths in mm: centres of bins."""
        return self.curves["depth_mm"].to_numpy()

    @property
    def deviations(self) -> pd.DataFrame:
        """Table with a row per depth: depth_mm, and value / consensus - 1 of each code; NaN where consensus is 0."""
        names = list(self.codes["code"])
        consensus = self.curves["consensus"].where(self.curves["consensus"] != 0)
        return self.curves[["depth_mm"]].join(self.curves[names].div(consensus, axis=0) - 1.0)


def reconcile(
    curves: Sequence[DepthCurve],
    *,
    anchors_mm: Mapping[str, float] | None = None,
    region_mm: tuple[float, float] | None = None,
    step_mm: float | None = None,
    normalise: Normalise = "none",
    allow: Collection[str] = (),
    tolerance: float = 0.03,
    ratio: float = 3.0,
) -> Reconciliation:
    """Puts curves of several codes on common depths, finds their consensus and who stands apart.

    Args:
        curves: One per code, two or more. Units may differ if they can be converted; the first one's is used.
        anchors_mm: Per code, the depth in its own frame that is the same place for all, for example its R80; each
            curve is moved so that its anchor comes to the median of the anchors. None: nothing is moved, and then
            all must state the same frame.
        region_mm: Depths (from, to) that are compared, after moving. None: for a density, where the consensus is
            10 % of its largest value or more; for a mean, all common depths.
        step_mm: Width of the common bins; None: the widest of the curves' own.
        normalise: "none", or "peak": each curve is divided by its own maximum first.
        allow: Of "averaging", "particles", "medium", "normalisation": in what the curves may differ, or be silent.
        tolerance: Distance below which codes agree (0.03 is 3 %).
        ratio: How many times further than the others are from each other an outlier is.

    Raises:
        ScienceError: The curves are not of one kind, do not share a frame or depths, or are not two or more.
        UnitError: Their units measure different quantities.
        UnknownName: A word in ``allow`` or ``normalise`` is not known.
    """
    limit, factor = checked_scalars({"tolerance": (tolerance, ABOVE_ZERO), "ratio": (ratio, _ONE_OR_MORE)})
    given = _of_one_kind(curves, allow=allow, framed=anchors_mm is None)
    offsets = _offsets(given, anchors_mm)
    same_unit = _in_one_unit(given, normalise)
    moved = [curve.shifted(offsets[curve.code]) for curve in same_unit]
    edges = _common_edges(moved, step_mm)
    depth = (edges[1:] + edges[:-1]) / 2.0
    weights = [resampling_matrix(curve, edges) for curve in moved]
    values = np.stack([w @ curve.value for w, curve in zip(weights, moved, strict=True)])
    errors = {
        curve.code: np.sqrt(w**2 @ curve.uncertainty**2)
        for w, curve in zip(weights, moved, strict=True)
        if curve.uncertainty is not None
    }
    consensus = np.median(values, axis=0)
    compared = _compared(depth, consensus, moved[0], region_mm)
    names = [curve.code for curve in moved]
    outliers = _outliers(moved, depth, values, compared=compared, tolerance=limit, ratio=factor)
    table = pd.DataFrame({"depth_mm": depth, "consensus": consensus})
    table["spread"] = _NORMAL_MAD * np.median(np.abs(values - consensus), axis=0)
    table["compared"] = compared
    return Reconciliation(
        quantity=_described(moved[0], allow),
        units=moved[0].units,
        curves=table.join(pd.DataFrame(values.T, columns=names)),
        uncertainties=pd.DataFrame({"depth_mm": depth, **errors}),
        codes=_code_table(names, values, errors, compared=compared, offsets=offsets, outliers=outliers),
        outliers=outliers,
        warnings=_warnings(moved, values, compared=compared, allow=allow),
    )


def _of_one_kind(curves: Sequence[DepthCurve], *, allow: Collection[str], framed: bool) -> list[DepthCurve]:
    given = list(curves) if isinstance(curves, Sequence) else [curves]
    others = [type(curve).__name__ for curve in given if not isinstance(curve, DepthCurve)]
    if others:
        raise ScienceError("not curves", wanted="a list of DepthCurve", got=listed(others))
    if isinstance(allow, str) or not isinstance(allow, Collection):
        raise ScienceError("not a set of names", where="allow", wanted=f"some of {listed(_ALLOWED)}", got=repr(allow))
    for word in allow:
        if word not in _ALLOWED:
            raise unknown_name("way in which curves may differ", str(word), _ALLOWED)
    names = [curve.code for curve in given]
    if len(given) < 2:
        raise ScienceError("nothing to reconcile", wanted="curves of two codes or more", got=listed(names))
    if len(set(names)) < len(names):
        raise ScienceError("two curves of one code", wanted="one per code", got=listed(names))
    differ = differing(given, [name for name in KIND if name not in allow])
    issues = [
        Issue("not one and the same", where=name, got=said, wanted="" if name == "quantity" else f'allow={{"{name}"}}')
        for name, said in differ.items()
    ]
    if framed and (frames := differing(given, ["frame"])):
        issues.append(Issue("not one and the same", where="frame", wanted="anchors_mm=", got=frames["frame"]))
    if issues:
        raise ScienceError("the curves are not of one kind", wanted="one definition of the quantity", issues=issues)
    return given


def _offsets(curves: list[DepthCurve], anchors_mm: Mapping[str, float] | None) -> dict[str, float]:
    names = [curve.code for curve in curves]
    if anchors_mm is not None and not isinstance(anchors_mm, Mapping):
        raise ScienceError("not anchors", wanted="a depth in mm per code", got=type(anchors_mm).__name__)
    if anchors_mm is None:
        return dict.fromkeys(names, 0.0)
    missing = [name for name in names if name not in anchors_mm]
    if missing:
        raise ScienceError(
            "codes without an anchor", wanted=f"one per code: {listed(names)}", got=f"no {listed(missing)}"
        )
    anchors = checked_scalars({f"anchor of {name}": (anchors_mm[name], FINITE) for name in names})
    target = float(np.median(anchors))
    return {name: target - anchor for name, anchor in zip(names, anchors, strict=True)}


def _in_one_unit(curves: list[DepthCurve], normalise: str) -> list[DepthCurve]:
    if not isinstance(normalise, str) or normalise not in ("none", "peak"):
        raise unknown_name("normalisation", str(normalise), ("none", "peak"))
    if normalise == "peak":
        flat = [curve.code for curve in curves if not np.any(curve.value > 0)]
        if flat:
            raise ScienceError("a curve without a peak", wanted="a value above 0", got=listed(flat))
        return [curve.scaled(1.0 / float(curve.value.max()), units="1") for curve in curves]
    target = curves[0].units
    done = []
    for curve in curves:
        try:
            done.append(curve.scaled(dose_factor(curve.units, target), units=target))
        except UnitError as error:
            raise UnitError(
                error.what, where=f"{curve.code} and {curves[0].code}", wanted=target, got=curve.units
            ) from error
    return done


def _common_edges(curves: list[DepthCurve], step_mm: float | None) -> Floats:
    lower = max(float(curve.edges_mm[0]) for curve in curves)
    upper = min(float(curve.edges_mm[-1]) for curve in curves)
    widest = max(float(np.median(np.diff(curve.depth_mm))) for curve in curves)
    (step,) = checked_scalars({"step_mm": (widest if step_mm is None else step_mm, ABOVE_ZERO)})
    count = round((upper - lower) / step - 0.5 + 1e-6)  # whole bins only; the last digit of an edge may be off
    if not 2 <= count <= _MOST_BINS:
        reach = listed([f"{c.code} {c.depth_mm[0]:g} to {c.depth_mm[-1]:g}" for c in curves])
        raise ScienceError(
            "the curves share too few depths, or too many bins",
            wanted=f"2 to {_MOST_BINS} bins of {step:g} mm; are some depths in cm?",
            got=f"{max(count, 0)}: {reach} mm",
        )
    return np.asarray(lower + step * np.arange(count + 1), dtype=np.float64)


def _compared(
    depth: Floats, consensus: Floats, curve: DepthCurve, region_mm: tuple[float, float] | None
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if region_mm is not None:
        (ends,) = checked({"region_mm": (region_mm, FINITE)})
        if ends.shape != (2,):
            raise ScienceError("not a region", wanted="(from, to) in mm", got=repr(region_mm))
        increasing(ends, name="region_mm")
        inside = (depth >= ends[0]) & (depth <= ends[1])
    elif curve.averaging == NOT_APPLICABLE:
        inside = consensus >= _SHALLOW * consensus.max()
    else:
        inside = np.ones(len(depth), dtype=np.bool_)
    inside = inside & (consensus > 0)
    if np.count_nonzero(inside) < 2:
        reach = f"{depth[0]:g} to {depth[-1]:g} mm"
        raise ScienceError("nothing left to compare", wanted=f"depths with values above 0 within {reach}")
    return np.asarray(inside)


def _outliers(
    curves: list[DepthCurve],
    depth: Floats,
    values: Floats,
    *,
    compared: np.ndarray[Any, np.dtype[np.bool_]],
    tolerance: float,
    ratio: float,
) -> tuple[Outlier, ...]:
    left, found = list(range(len(curves))), []
    while len(left) >= _FEWEST_TO_JUDGE:
        scores = _scores(values[left][:, compared])
        # others that are infinitely far from each other (one of two has no value above 0) are no measure
        at = int(np.argmax([own / max(rest, tolerance / ratio) if np.isfinite(rest) else 0.0 for own, rest in scores]))
        own, rest = scores[at]
        if own <= tolerance or own <= ratio * rest:
            break
        code = left.pop(at)
        difference = explain(
            depth,
            values[code],
            np.median(values[left], axis=0),
            compared=compared,
            tolerance=tolerance,
            quantity=curves[code].quantity,
        )
        found.append(Outlier(curves[code].code, own, rest, difference.reason, difference))
    return tuple(found)


def _scores(values: Floats) -> list[tuple[float, float]]:
    """Returns for each code its median distance to the others, and theirs among themselves."""
    count = len(values)
    apart = np.array([[distance(one, other) for other in values] for one in values])
    scores = []
    for code in range(count):
        others = [other for other in range(count) if other != code]
        rest = apart[np.ix_(others, others)][np.triu_indices(count - 1, 1)]
        scores.append((float(np.median(apart[code, others])), float(np.median(rest)) if len(rest) else np.nan))
    return scores


def _code_table(
    names: list[str],
    values: Floats,
    errors: Mapping[str, Floats],
    *,
    compared: np.ndarray[Any, np.dtype[np.bool_]],
    offsets: Mapping[str, float],
    outliers: Sequence[Outlier],
) -> pd.DataFrame:
    scores = _scores(values[:, compared])
    flagged = {outlier.code for outlier in outliers}
    rows = []
    for at, (name, (own, rest)) in enumerate(zip(names, scores, strict=True)):
        others = np.median(np.delete(values, at, axis=0)[:, compared], axis=0)
        mine = values[at, compared]
        scored = (mine > 0) & (others > 0)
        noise = np.nan
        if name in errors:
            noise = float(np.sqrt(np.mean((errors[name][compared][scored] / mine[scored]) ** 2)))
        rows.append(
            {
                "code": name,
                "offset_mm": offsets[name],
                "distance": own,
                "rest_distance": rest,
                "ratio": _times(own, rest),
                "bias": float(np.median(mine[scored] / others[scored])) if np.any(scored) else np.nan,
                "noise": noise,
                "outlier": name in flagged,
            }
        )
    return pd.DataFrame(rows)


def _warnings(
    curves: list[DepthCurve],
    values: Floats,
    *,
    compared: np.ndarray[Any, np.dtype[np.bool_]],
    allow: Collection[str],
) -> tuple[str, ...]:
    found = [f"mixed by request: {name}: {said}" for name, said in differing(curves, sorted(allow)).items()]
    if len(curves) < _FEWEST_TO_JUDGE:
        found.append("two codes: they can differ, but neither can be called the outlier")
    for curve, row in zip(curves, values, strict=True):
        empty = int(np.count_nonzero(row[compared] <= 0))
        if empty:
            found.append(
                f"{curve.code}: {empty} of {np.count_nonzero(compared)} compared values are 0 or less, and left out"
            )
        if curve.quantity == "LET" and "proton" in curve.particles and curve.units == "keV/um":
            found += proton_let_warnings(row[compared], what=curve.code)
    found += _tenths(curves)
    without = [curve.code for curve in curves if curve.uncertainty is None]
    if without:
        found.append(f"no uncertainty stated by {listed(without)}")
    return tuple(found)


def _times(own: float, rest: float) -> float:
    """Returns how many times further a code is than the others; NaN where there are no others, or all are as far."""
    if np.isnan(rest) or own == rest == 0 or np.isinf(rest):
        return float("nan")
    return own / rest if rest > 0 else float("inf")


def _tenths(curves: list[DepthCurve]) -> list[str]:
    """Returns what is suspicious about depths: those of one code span a tenth of what those of the others span."""
    spans = [float(np.ptp(curve.depth_mm)) for curve in curves]
    found = []
    for at, (curve, span) in enumerate(zip(curves, spans, strict=True)):
        others = float(np.median(spans[:at] + spans[at + 1 :]))
        if abs(np.log(others / span / _MM_PER_CM)) < _TENTH_WITHIN:
            found.append(
                f"{curve.code}: its depths span {span:g} mm, those of the others {others:g} mm; are they in cm?"
            )
    return found


def _described(curve: DepthCurve, allow: Collection[str]) -> str:
    parts = [f"{name}: {'mixed' if name in allow else getattr(curve, name)}" for name in KIND[1:]]
    return f"{curve.quantity}; " + ", ".join(parts)
