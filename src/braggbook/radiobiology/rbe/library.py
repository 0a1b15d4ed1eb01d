"""A table of measured RBE, read row by row into :class:`~braggbook.radiobiology.rbe.definition.Rbe`.

Harmonised columns (the dataset ``rbe_measurements`` has them all; a user's own table needs the first seven)::

    particle  endpoint  quantity  effect_level  reference_radiation  rbe  let_kind
    row_id  cell_line  source  doi  survival_level  dose_level_gy  isoeffect_dose_gy
    rbe_lower  rbe_upper  interval_kind  let_kev_um  let_particles  let_medium
    alpha_per_gy  alpha_sd_per_gy  beta_per_gy2  beta_sd_per_gy2, and the same with _reference

``quantity`` is "RBE at survival level", "RBE at dose", "RBEmax" or "RBE, level not stated"; rows of other
quantities (coefficients alone) are no RBE. The dose of the beam is ``isoeffect_dose_gy`` or ``dose_level_gy``, and 0
for RBEmax, which is the limit of low dose.

A row that does not state endpoint, effect level, reference radiation, dose and averaging of LET, or that prints a
range instead of a value, is kept apart with the reason. Nothing is ever filled in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from braggbook.errors import Issue, ScienceError, UnitError, closest, unknown_name
from braggbook.radiobiology.intervals import Interval
from braggbook.radiobiology.linear_quadratic import LqParameters
from braggbook.radiobiology.rbe.definition import Rbe
from braggbook.radiobiology.rbe.let import AVERAGES, NOT_STATED, LetKind
from braggbook.units import same_unit

RBE_QUANTITIES = ("RBE at survival level", "RBE at dose", "RBEmax", "RBE, level not stated")
REQUIRED = ("particle", "endpoint", "quantity", "effect_level", "reference_radiation", "rbe", "let_kind")
PARTS = ("endpoint", "effect_level", "reference_radiation", "dose_gy", "let_kind")

_UNITS = {
    "let_kev_um": "keV/um",
    "dose_level_gy": "Gy",
    "isoeffect_dose_gy": "Gy",
    "rbe": "1",
    "rbe_lower": "1",
    "rbe_upper": "1",
    "survival_level": "1",
    "alpha_per_gy": "1/Gy",
    "alpha_sd_per_gy": "1/Gy",
    "beta_per_gy2": "1/Gy2",
    "beta_sd_per_gy2": "1/Gy2",
    "alpha_reference_per_gy": "1/Gy",
    "alpha_reference_sd_per_gy": "1/Gy",
    "beta_reference_per_gy2": "1/Gy2",
    "beta_reference_sd_per_gy2": "1/Gy2",
}
_NOT_NEGATIVE = tuple(name for name in _UNITS if name not in ("alpha_per_gy", "beta_per_gy2"))
_MEAN = "mean, kind not stated"  # an average of LET, but not which


@dataclass(frozen=True)
class LibraryEntry:
    """One measured RBE.

    Attributes:
        row: Its row in the table, from 1.
        row_id: Its name there; the row number where it has none.
        rbe: The RBE with its five parts.
        cell_line: The cells, or "not stated".
        source: Where it was read, or "not stated".
        doi: DOI of the source, or "".
        lower: Lower end of what was published beside the value; None when nothing was.
        upper: Upper end of it; None when nothing was.
        interval_kind: What lower and upper are: "SD", "SE", "95 %", ...
        beam: alpha and beta of the beam, where published.
        reference: alpha and beta of the reference radiation, where published.
    """

    row: int
    row_id: str
    rbe: Rbe
    cell_line: str
    source: str
    doi: str
    lower: float | None
    upper: float | None
    interval_kind: str
    beam: LqParameters | None
    reference: LqParameters | None


@dataclass(frozen=True, eq=False)
class RbeLibrary:
    """Measured RBE that say what they are of, and the rows that do not.

    Attributes:
        entries: The RBE, in the order of the table.
        apart: Rows that are no complete RBE: row, row_id, lacks (parts, joined by "; "), reason.
        coefficients: Rows without an RBE, as they were.
        warnings: Implausible numbers, each with its row.
    """

    entries: tuple[LibraryEntry, ...]
    apart: pd.DataFrame
    coefficients: pd.DataFrame
    warnings: tuple[str, ...]

    def __len__(self) -> int:
        """Returns the number of entries."""
        return len(self.entries)

    def where(
        self,
        *,
        particle: str | None = None,
        endpoint: str | None = None,
        cell_line: str | None = None,
        effect_level: float | str | None = None,
        let_average: str | None = None,
        let_kev_um: tuple[float, float] | None = None,
        keep: Callable[[LibraryEntry], bool] | None = None,
    ) -> RbeLibrary:
        """Returns the entries that meet every condition; an entry without an LET is in no window of LET.

        Raises:
            UnknownName: ``let_average`` is not a kind of average.
            ScienceError: The window of LET is not two numbers in order.
        """
        if let_average is not None and let_average not in AVERAGES:
            raise unknown_name("kind of average", let_average, AVERAGES)
        if let_kev_um is not None and not 0 <= let_kev_um[0] <= let_kev_um[1]:
            raise ScienceError("not a window of LET", wanted="(lowest, highest) in keV/um", got=repr(let_kev_um))

        def passes(entry: LibraryEntry) -> bool:
            rbe = entry.rbe
            kind, let = rbe.let_kind, rbe.let_kev_um
            wanted = (
                (particle, rbe.particle),
                (endpoint, rbe.endpoint),
                (cell_line, entry.cell_line),
                (effect_level, rbe.effect_level),
                (let_average, kind.average if kind else NOT_STATED),
            )
            inside = let_kev_um is None or (let is not None and let_kev_um[0] <= let <= let_kev_um[1])
            return inside and all(w in (None, g) for w, g in wanted) and (keep is None or keep(entry))

        found = tuple(entry for entry in self.entries if passes(entry))
        return RbeLibrary(found, apart=self.apart, coefficients=self.coefficients, warnings=self.warnings)

    def to_table(self) -> pd.DataFrame:
        """Returns a row per entry, with units in ``attrs``; what is not stated is empty or says so."""
        table = pd.DataFrame([_flat(entry) for entry in self.entries], columns=list(_FLAT_UNITS))
        table.attrs = {"units": {name: unit for name, unit in _FLAT_UNITS.items() if unit}}
        return table


def rbe_library(table: pd.DataFrame, *, accept_unstated: Iterable[str] = ()) -> RbeLibrary:
    """Reads a table of measured RBE.

    Args:
        table: One row per value, columns as in this module's docstring; units in ``attrs["units"]`` are checked.
        accept_unstated: Parts (of endpoint, effect_level, reference_radiation, dose_gy, let_kind) that may be "not
            stated"; such rows become entries whose RBE says "not stated" there. None, unless told.

    Raises:
        ScienceError: A column is missing or in another unit, or a cell cannot be what its column says; every row is
            named (the first is 1).
        UnknownName: There is no such part.
    """
    parts = list(accept_unstated) if isinstance(accept_unstated, Iterable) else [accept_unstated]
    accepted = [accept_unstated] if isinstance(accept_unstated, str) else parts
    for part in accepted:
        if not isinstance(part, str) or part not in PARTS:
            raise unknown_name("part of an RBE", str(part), PARTS)
    _require_columns(table)
    entries, apart, others, issues = [], [], [], []
    for row, (index, cells) in enumerate(table.iterrows(), start=1):
        found = _cell_issues(cells, row)
        issues += found
        if found:
            continue
        if _text(cells, "quantity") not in RBE_QUANTITIES:
            others.append(index)
            continue
        lacks = [part for part in _unstated(cells) if part not in accepted]
        reason = _no_value(cells)
        if lacks or reason:
            words = [*([reason] if reason else []), *(f"{part} is not stated" for part in lacks)]
            apart.append((row, _text(cells, "row_id", str(row)), "; ".join(lacks), "; ".join(words)))
        else:
            entries.append(_entry(cells, row))
    if issues:
        raise ScienceError("the table of RBE is not usable", issues=issues)
    return RbeLibrary(
        entries=tuple(entries),
        apart=pd.DataFrame(apart, columns=["row", "row_id", "lacks", "reason"]),
        coefficients=table.loc[others],
        warnings=tuple(f"{e.row_id} (row {e.row}): {text}" for e in entries for text in e.rbe.warnings),
    )


def _require_columns(table: pd.DataFrame) -> None:
    if not isinstance(table, pd.DataFrame):
        raise ScienceError("not a table", wanted="a pandas DataFrame", got=type(table).__name__)
    issues = [Issue("missing column", where=name) for name in REQUIRED if name not in table.columns]
    issues += [Issue("two columns of one name", where=str(n)) for n in table.columns[table.columns.duplicated()]]
    units = table.attrs.get("units", {})
    for name, unit in _UNITS.items():
        given = units.get(name, unit) if isinstance(units, Mapping) else unit
        try:
            same = same_unit(given, unit)
        except UnitError:
            same = False
        if not same:
            issues.append(Issue("another unit", where=name, wanted=unit, got=str(given)))
    if not len(table):
        issues.append(Issue("no rows"))
    if issues:
        raise ScienceError("the table of RBE is not usable", issues=issues)


def _cell_issues(cells: pd.Series, row: int) -> list[Issue]:
    issues = []
    for name in _UNITS:
        value = cells.get(name)
        if _is_blank(value):
            continue
        number = _as_number(value)
        low = 0.0 if name in _NOT_NEGATIVE else -math.inf
        if number is None or not math.isfinite(number) or number < low:
            wanted = "a finite number" + (", 0 or more" if low == 0 else "")
            issues.append(Issue("not usable", where=f"row {row}, {name}", wanted=wanted, got=repr(value)))
    return issues or _meaning_issues(cells, row)


def _meaning_issues(cells: pd.Series, row: int) -> list[Issue]:
    issues = [
        Issue("not usable", where=f"row {row}, {name}", wanted="above 0", got="0")
        for name in ("rbe", "rbe_upper", "let_kev_um", "isoeffect_dose_gy", "dose_level_gy", "survival_level")
        if _number(cells, name) == 0
    ]
    ends = [value for name in ("rbe_lower", "rbe", "rbe_upper") if (value := _number(cells, name)) is not None]
    if ends != sorted(ends):
        got = " > ".join(f"{end:g}" for end in ends)
        issues.append(Issue("not in order", where=f"row {row}", wanted="rbe_lower <= rbe <= rbe_upper", got=got))
    level = _number(cells, "survival_level")
    if level is not None and level >= 1:
        issues.append(Issue("not a surviving fraction", where=f"row {row}", wanted="below 1", got=f"{level:g}"))
    if _text(cells, "quantity") == RBE_QUANTITIES[0] and level is None:
        issues.append(Issue("no survival level", where=f"row {row}", wanted="survival_level", got=RBE_QUANTITIES[0]))
    average = _text(cells, "let_kind")
    if average not in (*AVERAGES, _MEAN):
        wanted = closest(average, (*AVERAGES, _MEAN))
        issues.append(Issue("not a kind of average", where=f"row {row}, let_kind", wanted=wanted, got=repr(average)))
    return issues


def _unstated(cells: pd.Series) -> list[str]:
    stated = {
        "endpoint": _text(cells, "endpoint"),
        "effect_level": _text(cells, "effect_level"),
        "reference_radiation": _text(cells, "reference_radiation"),
        "dose_gy": NOT_STATED if _dose(cells) is None else "stated",
        "let_kind": NOT_STATED if _text(cells, "let_kind") == _MEAN else _text(cells, "let_kind"),
    }
    return [part for part in PARTS if stated[part] == NOT_STATED]


def _no_value(cells: pd.Series) -> str:
    if _number(cells, "rbe") is not None:
        return ""
    if _number(cells, "rbe_lower") is not None:
        return "a range, no value"
    return "a bound, no value" if _number(cells, "rbe_upper") is not None else "no value"


def _entry(cells: pd.Series, row: int) -> LibraryEntry:
    lower, upper = _number(cells, "rbe_lower"), _number(cells, "rbe_upper")
    kind = _text(cells, "interval_kind", "none published")
    interval = None
    if kind == "95 %" and lower is not None and upper is not None:
        interval = Interval(lower, upper, 0.95, "as published")
    average = _text(cells, "let_kind")
    level, dose = _number(cells, "survival_level"), _dose(cells)
    rbe = Rbe(
        value=_number(cells, "rbe") or 0.0,
        endpoint=_text(cells, "endpoint"),
        effect_level=_text(cells, "effect_level") if level is None else level,
        reference_radiation=_text(cells, "reference_radiation"),
        dose_gy=NOT_STATED if dose is None else dose,
        let_kind=LetKind(
            NOT_STATED if average == _MEAN else average,
            particles=_text(cells, "let_particles"),
            medium=_text(cells, "let_medium"),
        ),
        let_kev_um=_number(cells, "let_kev_um"),
        interval=interval,
        particle=_text(cells, "particle"),
    )
    return LibraryEntry(
        row=row,
        row_id=_text(cells, "row_id", str(row)),
        rbe=rbe,
        cell_line=_text(cells, "cell_line"),
        source=_text(cells, "source"),
        doi=_text(cells, "doi", ""),
        lower=lower,
        upper=upper,
        interval_kind=kind,
        beam=_pair(cells, ""),
        reference=_pair(cells, "_reference"),
    )


def _dose(cells: pd.Series) -> float | None:
    """Returns the dose of the beam in Gy, 0 for the limit of low dose, None where it is not stated."""
    if _text(cells, "quantity") == "RBEmax":
        return 0.0
    at_effect = _number(cells, "isoeffect_dose_gy")
    return _number(cells, "dose_level_gy") if at_effect is None else at_effect


def _pair(cells: pd.Series, suffix: str) -> LqParameters | None:
    alpha, beta = _number(cells, f"alpha{suffix}_per_gy"), _number(cells, f"beta{suffix}_per_gy2")
    if alpha is None or beta is None:
        return None
    errors = _number(cells, f"alpha{suffix}_sd_per_gy"), _number(cells, f"beta{suffix}_sd_per_gy2")
    return LqParameters(alpha, beta) if None in errors else LqParameters(alpha, beta, *errors)


_FLAT_UNITS = {
    "row_id": "",
    "particle": "",
    "cell_line": "",
    "endpoint": "",
    "effect_level": "",
    "reference_radiation": "",
    "dose_gy": "Gy",
    "let_kev_um": "keV/um",
    "let_average": "",
    "let_particles": "",
    "let_medium": "",
    "rbe": "1",
    "rbe_lower": "1",
    "rbe_upper": "1",
    "interval_kind": "",
    "unstated": "",
    "source": "",
    "doi": "",
}


def _flat(entry: LibraryEntry) -> tuple[Any, ...]:
    rbe = entry.rbe
    kind = rbe.let_kind or LetKind(NOT_STATED)
    return (
        entry.row_id,
        rbe.particle,
        entry.cell_line,
        rbe.endpoint,
        str(rbe.effect_level),
        rbe.reference_radiation,
        math.nan if isinstance(rbe.dose_gy, str) else rbe.dose_gy,
        math.nan if rbe.let_kev_um is None else rbe.let_kev_um,
        kind.average,
        kind.particles,
        kind.medium,
        rbe.value,
        math.nan if entry.lower is None else entry.lower,
        math.nan if entry.upper is None else entry.upper,
        entry.interval_kind,
        "; ".join(rbe.unstated),
        entry.source,
        entry.doi,
    )


def _is_blank(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _as_number(value: object) -> float | None:
    if isinstance(value, str | bool | bytes):
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _number(cells: pd.Series, name: str) -> float | None:
    value = cells.get(name)
    return None if _is_blank(value) else _as_number(value)


def _text(cells: pd.Series, name: str, otherwise: str = NOT_STATED) -> str:
    value = cells.get(name)
    return otherwise if _is_blank(value) or not str(value).strip() else str(value).strip()
