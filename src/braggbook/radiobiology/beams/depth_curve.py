"""A quantity against depth as one program gives it, with everything that decides what it may be compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from braggbook.errors import Issue, ScienceError, closest
from braggbook.radiobiology.arguments import FINITE, NOT_NEGATIVE, Floats, checked_table, increasing
from braggbook.units import parse_unit

NOT_STATED = "not stated"
NOT_APPLICABLE = "not applicable"
AVERAGES = ("dose-averaged", "track-averaged", NOT_APPLICABLE, NOT_STATED)
NORMALISATIONS = ("per primary", "total", "relative", NOT_APPLICABLE, NOT_STATED)
KIND = ("quantity", "averaging", "particles", "medium", "normalisation")  # curves that differ here are not compared
_COLUMNS = ("code", *KIND, "frame", "depth_mm", "value", "units")
_FEWEST = 2


@dataclass(frozen=True, eq=False)
class DepthCurve:
    """One quantity against depth from one code.

    Attributes:
        code: Who calculated or measured it.
        depth_mm: Depths in mm, shape (n,), increasing: centres of bins.
        value: Values, shape (n,), finite.
        units: Unit of the values, "1" for a pure number.
        quantity: "dose", "fluence", "LET", ...
        averaging: "dose-averaged", "track-averaged", "not applicable" or "not stated".
        particles: Which particles count, for example "all protons".
        medium: What they move in or the LET refers to, for example "water, unit density".
        frame: Where depth 0 is and which way it grows.
        normalisation: "per primary", "total", "relative", "not applicable" (averages) or "not stated".
        uncertainty: One standard error, shape (n,), in the unit of the values; None when the source has none.
    """

    code: str
    depth_mm: Floats
    value: Floats
    units: str
    quantity: str
    averaging: str
    particles: str
    medium: str
    frame: str
    normalisation: str
    uncertainty: Floats | None = None

    def __post_init__(self) -> None:
        """Raises ScienceError or UnitError, with every row, when it is no curve or does not say what it is."""
        texts = ("code", *KIND, "frame", "units")
        issues = [
            Issue(
                "not a text, or empty", where=name, wanted=f"a text, or {NOT_STATED!r}", got=repr(getattr(self, name))
            )
            for name in texts
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip()
        ]
        if issues:
            raise ScienceError("a curve that does not say what it is", issues=issues)
        for name, known in (("averaging", AVERAGES), ("normalisation", NORMALISATIONS)):
            if getattr(self, name) not in known:
                got = str(getattr(self, name))
                issues.append(Issue("not known", where=name, wanted=closest(got, known), got=repr(got)))
        if issues:
            raise ScienceError(f"a curve that does not say what it is: {self.code}", issues=issues)
        parse_unit(self.units)
        rules = {"depth_mm": FINITE, "value": FINITE}
        if self.uncertainty is not None:
            rules["uncertainty"] = NOT_NEGATIVE
        given = {f"{name} of {self.code}": (getattr(self, name), rule) for name, rule in rules.items()}
        columns = checked_table(given, at_least=_FEWEST)
        increasing(columns[0], name=f"depth_mm of {self.code}")
        for name, values in zip(rules, columns, strict=True):
            object.__setattr__(self, name, values)

    @property
    def edges_mm(self) -> Floats:
        """Edges of the bins, shape (n + 1,): halfway between centres, and as far outside the first and the last."""
        middle = (self.depth_mm[1:] + self.depth_mm[:-1]) / 2.0
        first = 2.0 * self.depth_mm[0] - middle[0]
        return np.concatenate([[first], middle, [2.0 * self.depth_mm[-1] - middle[-1]]])

    def shifted(self, by_mm: float) -> Self:
        """Returns the curve moved deeper by ``by_mm``."""
        return replace(self, depth_mm=self.depth_mm + by_mm)

    def scaled(self, factor: float, *, units: str) -> Self:
        """Returns the curve with its values multiplied, in another unit."""
        uncertainty = None if self.uncertainty is None else self.uncertainty * factor
        return replace(self, value=self.value * factor, uncertainty=uncertainty, units=units)


def depth_curves(table: pd.DataFrame, **chosen: str) -> tuple[DepthCurve, ...]:
    """Takes a harmonised table apart: one curve per code, of the rows that are chosen.

    Args:
        table: Columns code, quantity, averaging, particles, medium, normalisation, frame, depth_mm, value, units, and
            uncertainty if there is one (empty where a code has none). Any others may be used to choose.
        chosen: Column names with the one value to keep, for example ``quantity="LET", averaging="dose-averaged"``.

    Returns:
        The curves in the order of the table.

    Raises:
        ScienceError: Columns are missing, nothing is chosen, or a code has more than one curve left, with what differs.
    """
    if not isinstance(table, pd.DataFrame):
        raise ScienceError("not a table", wanted="a pandas DataFrame", got=type(table).__name__)
    missing = [name for name in (*_COLUMNS, *chosen) if name not in table]
    if missing:
        raise ScienceError("the table lacks columns", wanted=listed(_COLUMNS), got=f"no {listed(missing)}")
    rows = table
    for name, value in chosen.items():
        known = sorted(map(str, rows[name].unique()))
        rows = rows[rows[name].astype(str) == value]
        if rows.empty:
            raise ScienceError("no such rows", where=name, wanted=closest(value, known), got=repr(value))
    return tuple(_curve_of(str(code), part) for code, part in rows.groupby("code", sort=False))


def _curve_of(code: str, rows: pd.DataFrame) -> DepthCurve:
    fixed = [name for name in rows if name not in ("depth_mm", "value", "uncertainty")]
    said = {name: sorted(set(map(str, rows[name]))) for name in fixed}
    several = [f"{name}: {listed(texts)}" for name, texts in said.items() if len(texts) > 1]
    if several:
        raise ScienceError(f"more than one curve of {code}", wanted="one; choose by column", got="; ".join(several))
    uncertainty: Any = rows["uncertainty"].to_numpy() if "uncertainty" in rows else None
    if uncertainty is not None and pd.isna(uncertainty).all():
        uncertainty = None
    texts = {name: str(rows[name].iloc[0]) for name in (*KIND, "frame", "units")}
    return DepthCurve(code, rows["depth_mm"].to_numpy(), rows["value"].to_numpy(), uncertainty=uncertainty, **texts)


def resampling_matrix(curve: DepthCurve, edges_mm: Floats) -> Floats:
    """Returns the weights, shape (m, n), that take a curve's n values to m bins within its depths.

    A density (dose, fluence) keeps its integral: each new value is the mean over the new bin of the old step
    function. A mean (LET) is no density, its integral means nothing: it is interpolated by straight lines at the
    centres of the new bins.
    """
    centres = (edges_mm[1:] + edges_mm[:-1]) / 2.0
    if curve.averaging in ("dose-averaged", "track-averaged"):
        return np.stack([np.interp(centres, curve.depth_mm, row) for row in np.eye(len(curve.depth_mm))], axis=1)
    own = curve.edges_mm
    shared = np.minimum(edges_mm[1:, None], own[None, 1:]) - np.maximum(edges_mm[:-1, None], own[None, :-1])
    return np.asarray(np.maximum(shared, 0.0) / np.diff(edges_mm)[:, None])


def listed(names: Iterable[str]) -> str:
    """Returns names in one line, as messages have them."""
    return ", ".join(names) or "none"


def differing(curves: Iterable[DepthCurve], names: Iterable[str]) -> Mapping[str, str]:
    """Returns what curves differ in, or do not state: name, and who says what."""
    found = {}
    for name in names:
        said: dict[str, list[str]] = {}
        for curve in curves:
            said.setdefault(str(getattr(curve, name)), []).append(curve.code)
        if len(said) > 1 or NOT_STATED in said:
            found[name] = "; ".join(f"{value} ({listed(codes)})" for value, codes in said.items())
    return found
