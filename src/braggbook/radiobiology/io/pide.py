"""Imports the Particle Irradiation Data Ensemble (PIDE 3.x) from a user's own copy.

GSI asks those who use PIDE to cite both papers and the version and not to pass the files on. Braggbook therefore
ships no row of it: download the workbook and the two ``.dat`` files from GSI's project page, and give their paths::

    pide = read_pide("PIDE3.4.xlsx", ion_raw="PIDE3.4_IonRawData.dat", photon_raw="PIDE3.4_PhotonRawData.dat")

The tables come back harmonised (names with units, "N/A" as missing, letters spelt out), the raw curves linked to
their entries, and what was counted beside what PIDE 3.4 is known to hold. PIDE does not say row by row how an LET was
averaged, so that its kind is "not stated".
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from braggbook.errors import DatasetMissing, FitError, Issue, ScienceError, unknown_name
from braggbook.radiobiology.io.pide_raw import RawCurves, path_of, read_ion_curves, read_photon_curves
from braggbook.radiobiology.io.pide_refit import fit_unweighted

PIDE_TERMS = (
    "PIDE is free for research. Cite T. Friedrich et al., J Radiat Res 54 (2013) 494-514, doi:10.1093/jrr/rrs114, and "
    "T. Friedrich, T. Pfuhl and M. Scholz, J Radiat Res 62 (2021) 645-655, PMC8273790, and the version of PIDE; do not "
    "pass the files on, but point to GSI's project page."
)

_WHOLE, _NUMBER, _TEXT = "whole number", "number", "text"
_CLASSES = {"t": "tumour", "n": "normal"}
_ORIGINS = {"h": "human", "r": "rodent"}
_CONDITIONS = {"m": "mono-energetic", "s": "SOBP"}

# name here: (names in the workbook, in small letters without # and blanks; kind; unit)
_COLUMNS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "exp_id": (("expid",), _WHOLE, ""),
    "publication_id": (("publicationid", "publication", "pubid"), _WHOLE, ""),
    "publication": (("publicationname", "pubname"), _TEXT, ""),
    "ion_experiment": (("ionexpnum", "ionexp"), _WHOLE, ""),
    "cell_line": (("cells",), _TEXT, ""),
    "cell_class": (("cellclass",), _TEXT, ""),
    "cell_origin": (("cellorigin",), _TEXT, ""),
    "cell_cycle": (("cellcycle",), _TEXT, ""),
    "dna_content": (("dnacontent",), _NUMBER, ""),
    "photon_radiation": (("photonradiation",), _TEXT, ""),
    "photon_experiment": (("photonexpnum", "photonexp"), _WHOLE, ""),
    "particle": (("ion",), _TEXT, ""),
    "charge": (("charge",), _WHOLE, "1"),
    "irradiation": (("irradiationconditions",), _TEXT, ""),
    "let_kev_um": (("let",), _NUMBER, "keV/um"),
    "energy_mev_u": (("energy",), _NUMBER, "MeV/u"),
    "alpha_reference_published_per_gy": (("ax_paper",), _NUMBER, "1/Gy"),
    "beta_reference_published_per_gy2": (("bx_paper",), _NUMBER, "1/Gy2"),
    "alpha_published_per_gy": (("ai_paper",), _NUMBER, "1/Gy"),
    "beta_published_per_gy2": (("bi_paper",), _NUMBER, "1/Gy2"),
    "alpha_reference_refit_per_gy": (("ax_fit",), _NUMBER, "1/Gy"),
    "beta_reference_refit_per_gy2": (("bx_fit",), _NUMBER, "1/Gy2"),
    "alpha_refit_per_gy": (("ai_fit",), _NUMBER, "1/Gy"),
    "beta_refit_per_gy2": (("bi_fit",), _NUMBER, "1/Gy2"),
}
_LETTERS = {"cell_class": _CLASSES, "cell_origin": _ORIGINS, "irradiation": _CONDITIONS}
_ALWAYS = ("exp_id", "publication_id", "publication", "cell_line", "particle")
_ABOVE_ZERO = ("let_kev_um", "energy_mev_u", "dna_content")
_MISSING = ("", "N/A", "NA", "n/a", "nan")
_HEADING_ROWS = 10  # the heading stands in one of these
# keV/um: from minimum ionisation of a proton to beyond the heaviest ions at their Bragg maximum
_POSSIBLE_LET = (0.2, 20000.0)


@dataclass(frozen=True, eq=False)
class Pide:
    """PIDE as read from a user's files. The terms are in ``terms`` and in every table's ``attrs["terms"]``.

    Attributes:
        entries: A row per pair of an ion and a photon curve; columns with units in ``attrs["units"]``; published and
            refitted coefficients of photons ("reference") and ions.
        ions: Raw curves of the ions: ``index`` (a row per line) and ``points`` (a row per dose).
        photons: Raw curves of the photons.
        counts: What was counted (what, in_file, pide_3_4, same), to be held against version 3.4.
        warnings: Curves without an entry, entries whose curve names another publication, implausible LET.
        terms: Whom to cite, and what not to do.
    """

    entries: pd.DataFrame
    ions: RawCurves
    photons: RawCurves
    counts: pd.DataFrame
    warnings: tuple[str, ...]
    terms: str = PIDE_TERMS

    def entry(self, exp_id: int) -> pd.Series:
        """Returns the entry of an experiment.

        Raises:
            UnknownName: There is none.
        """
        found = self.entries[self.entries["exp_id"] == exp_id]
        if found.empty:
            raise unknown_name("PIDE experiment", str(exp_id), map(str, self.entries["exp_id"]))
        return found.iloc[0]

    def curves(self, exp_id: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Returns the raw points (dose_gy, survival) of an experiment's ion and photon curve; empty where none.

        Raises:
            UnknownName: There is no such experiment.
        """
        entry = self.entry(exp_id)
        ion, photon = self.ions.points, self.photons.points
        of_photon = photon["publication_id"].eq(entry["publication_id"])
        of_photon &= photon["photon_experiment"].eq(entry["photon_experiment"])
        pair = ion[ion["exp_id"] == exp_id], photon[of_photon]
        first, second = (points[["dose_gy", "survival"]].reset_index(drop=True) for points in pair)
        return first, second

    def refit(self) -> pd.DataFrame:
        """Fits every raw curve again without weights, as PIDE does, and returns it beside PIDE's coefficients.

        Returns:
            A row per entry and radiation ("ion", "photon") with raw points: exp_id, radiation, form, alpha_per_gy,
            beta_per_gy2, intercept, points, left_out, pide_alpha_per_gy, pide_beta_per_gy2, not_fitted (the reason).
        """
        photons: dict[Any, pd.DataFrame] = dict(
            tuple(self.photons.points.groupby(["publication_id", "photon_experiment"]))
        )
        ions: dict[Any, pd.DataFrame] = dict(tuple(self.ions.points.groupby("exp_id")))
        rows = []
        for entry in self.entries.itertuples():
            curves = (
                ("ion", ions.get(entry.exp_id), entry.alpha_refit_per_gy, entry.beta_refit_per_gy2),
                (
                    "photon",
                    photons.get((entry.publication_id, entry.photon_experiment)),
                    entry.alpha_reference_refit_per_gy,
                    entry.beta_reference_refit_per_gy2,
                ),
            )
            rows += [
                (entry.exp_id, radiation, *_refitted(points), alpha, beta)
                for radiation, points, alpha, beta in curves
                if points is not None
            ]
        return _with_attrs(pd.DataFrame(rows, columns=list(_REFIT_UNITS)), _REFIT_UNITS)

    def rbe_table(self, *, survival: float = 0.1, coefficients: str = "refit") -> pd.DataFrame:
        """Returns RBE at a survival level from the coefficients, in the columns of ``rbe_library``.

        Args:
            survival: Surviving fraction, between 0 and 1.
            coefficients: "refit" or "published".

        Returns:
            A row per entry whose two curves come down to this level. PIDE gives no errors of its coefficients.

        Raises:
            UnknownName: There are no such coefficients.
            ScienceError: The level is not between 0 and 1.
        """
        if coefficients not in ("refit", "published"):
            raise unknown_name("coefficients", coefficients, ("refit", "published"))
        if not (isinstance(survival, int | float) and 0 < survival < 1):
            raise ScienceError("a survival level is not usable", wanted="between 0 and 1", got=repr(survival))
        names = [name for name in _COLUMNS if coefficients in name]
        alpha_x, beta_x, alpha, beta = (self.entries[name].to_numpy(dtype=np.float64) for name in names)
        dose, dose_x = _dose_at(survival, alpha, beta), _dose_at(survival, alpha_x, beta_x)
        known = np.isfinite(dose) & np.isfinite(dose_x) & (dose > 0)
        kept = self.entries[known]
        table = pd.DataFrame(
            {
                "row_id": "PIDE " + kept["exp_id"].astype(str),
                "particle": kept["particle"],
                "cell_line": kept["cell_line"],
                "endpoint": "clonogenic survival",
                "quantity": "RBE at survival level",
                "effect_level": f"{100 * survival:g} % survival",
                "survival_level": survival,
                "isoeffect_dose_gy": dose[known],
                "rbe": dose_x[known] / dose[known],
                "interval_kind": "none published",
                "let_kev_um": kept["let_kev_um"],
                "let_kind": "not stated",
                "reference_radiation": kept["photon_radiation"].fillna("not stated"),
                "source": "PIDE, publication " + kept["publication"],
            }
        )
        return _with_attrs(
            table.reset_index(drop=True), {"let_kev_um": "keV/um", "isoeffect_dose_gy": "Gy", "rbe": "1"}
        )


def read_pide(
    workbook: str | os.PathLike[str], *, ion_raw: str | os.PathLike[str], photon_raw: str | os.PathLike[str]
) -> Pide:
    """Reads a user's copy of PIDE 3.x.

    Args:
        workbook: The ``.xlsx`` with the entries.
        ion_raw: The ``.dat`` with the survival points of the ions.
        photon_raw: The ``.dat`` with the survival points of the photons.

    Raises:
        DatasetMissing: A file is not there.
        ScienceError: A file is not of this form; every row or line that is not is named.
    """
    entries = read_pide_entries(workbook)
    ions, photons = read_ion_curves(path_of(ion_raw)), read_photon_curves(path_of(photon_raw))
    curve_units = {"dose_gy": "Gy", "survival": "1"}
    for curves in (ions, photons):
        _with_attrs(curves.points, curve_units)
        _with_attrs(curves.index, {})
    return Pide(
        entries=entries,
        ions=ions,
        photons=photons,
        counts=_counts(entries, ions, photons),
        warnings=(*_link_warnings(entries, ions, photons), *_let_warnings(entries)),
    )


def read_pide_entries(workbook: str | os.PathLike[str]) -> pd.DataFrame:
    """Reads the entries of PIDE 3.x from its workbook alone.

    Raises:
        DatasetMissing: The file is not there.
        ScienceError: It is not such a workbook; every row that is not usable is named as the workbook counts it.
    """
    path = path_of(workbook)
    sheet, heading = _sheet(path)
    columns = {name: _find(heading, names) for name, (names, _, _) in _COLUMNS.items()}
    missing = [
        Issue("missing column", where=name, wanted=_COLUMNS[name][0][0]) for name, c in columns.items() if c is None
    ]
    if missing:
        raise ScienceError(f"not a workbook of PIDE entries: {path.name}", issues=missing)
    issues: list[Issue] = []
    table = pd.DataFrame(
        {
            name: [_cell(cell, name, row, issues) for row, cell in zip(sheet.index, sheet[columns[name]], strict=True)]
            for name in _COLUMNS
        }
    )
    twice = table["exp_id"].duplicated() & table["exp_id"].notna()
    issues += [
        Issue("an experiment stands twice", where=f"row {row}", got=str(table["exp_id"][place]))
        for place, row in enumerate(sheet.index)
        if twice[place]
    ]
    if table.empty:
        issues.append(Issue("no entries"))
    if issues:
        raise ScienceError(f"not a workbook of PIDE entries: {path.name}", issues=issues)
    whole = {name: "int64" for name, (_, kind, _) in _COLUMNS.items() if kind == _WHOLE and table[name].notna().all()}
    return _with_attrs(table.astype(whole), {name: unit for name, (_, _, unit) in _COLUMNS.items()})


def _sheet(path: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    """Returns the rows below the heading, indexed as the workbook counts them, and the heading's columns."""
    try:
        there = path.is_file()
    except (OSError, ValueError) as error:
        raise DatasetMissing("cannot read the file", where=str(path), got=str(error)) from error
    if not there:
        raise DatasetMissing("no such file", where=str(path), wanted="the workbook of PIDE 3.x")
    try:
        sheets = pd.read_excel(path, sheet_name=None, header=None, dtype=object, na_filter=False, engine="openpyxl")
    except Exception as error:  # whatever the parsers of a zip file and of its XML meet in a damaged one
        raise ScienceError(f"not an Excel workbook: {path.name}", got=str(error)[:80]) from error
    for sheet in sheets.values():
        for row in range(min(_HEADING_ROWS, len(sheet))):
            heading = {_plain(cell): place for place, cell in reversed(list(enumerate(sheet.iloc[row])))}
            if "expid" in heading:
                body = sheet.iloc[row + 1 :]
                body.index = body.index + 1
                filled = body.apply(lambda cells: any(str(cell).strip() for cell in cells), axis=1)
                return body[filled.astype(bool)] if len(body) else body, heading
    raise ScienceError(f"not a workbook of PIDE entries: {path.name}", wanted="a heading with ExpID", got="none")


def _plain(cell: object) -> str:
    return "".join(str(cell).split()).strip("#").lower()


def _find(heading: dict[str, int], names: tuple[str, ...]) -> int | None:
    return next((heading[name] for name in names if name in heading), None)


def _cell(cell: object, name: str, row: int, issues: list[Issue]) -> Any:
    """Returns the value of a cell; what it cannot be is added to the issues."""
    kind = _COLUMNS[name][1]
    text = "" if cell is None else str(cell).strip()
    where = f"row {row}, {name}"
    if text in _MISSING:
        if name in _ALWAYS:
            issues.append(Issue("empty", where=where, wanted=kind))
        return math.nan if kind != _TEXT else None
    if kind == _TEXT:
        letters = _LETTERS.get(name)
        if letters is None:
            return text
        if text.lower() not in letters:
            issues.append(Issue("an unknown letter", where=where, wanted=" or ".join(letters), got=text))
        return letters.get(text.lower())
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    bad = not math.isfinite(value) or (kind == _WHOLE and value != int(value)) or isinstance(cell, bool)
    if bad or (name in _ABOVE_ZERO and value <= 0):
        wanted = f"a {kind}{' above 0' if name in _ABOVE_ZERO else ''}, or N/A"
        issues.append(Issue("not usable", where=where, wanted=wanted, got=text))
        return math.nan
    return int(value) if kind == _WHOLE else value


def _counts(entries: pd.DataFrame, ions: RawCurves, photons: RawCurves) -> pd.DataFrame:
    """Returns counts beside those of PIDE 3.4, as its own copy had them."""

    def pairs(what: str) -> int:
        names = [name for name in _COLUMNS if what in name]
        return int(entries[names].notna().all(axis=1).sum())

    counted: list[tuple[str, int, int]] = [
        ("entries", len(entries), 1219),
        ("publications", entries["publication_id"].nunique(), 131),
        ("cell lines", entries["cell_line"].nunique(), 152),
        ("ion species", entries["particle"].nunique(), 26),
        ("mono-energetic", int((entries["irradiation"] == "mono-energetic").sum()), 1003),
        ("SOBP", int((entries["irradiation"] == "SOBP").sum()), 216),
        ("normal cells", int((entries["cell_class"] == "normal").sum()), 787),
        ("tumour cells", int((entries["cell_class"] == "tumour").sum()), 432),
        ("human cells", int((entries["cell_origin"] == "human").sum()), 625),
        ("rodent cells", int((entries["cell_origin"] == "rodent").sum()), 594),
        ("published photon coefficients", pairs("reference_published"), 705),
        ("refitted photon coefficients", pairs("reference_refit"), 1154),
        ("refitted ion coefficients", pairs("a_refit"), 1044),
        ("ion curves", len(ions.index), 1219),
        ("ion curves without points", int((ions.index["points"] == 0).sum()), 174),
        ("photon curves", len(photons.index), 295),
        ("photon curves without points", int((photons.index["points"] == 0).sum()), 9),
    ]
    table = pd.DataFrame(counted, columns=["what", "in_file", "pide_3_4"])
    return table.assign(same=table["in_file"] == table["pide_3_4"])


def _link_warnings(entries: pd.DataFrame, ions: RawCurves, photons: RawCurves) -> tuple[str, ...]:
    known = dict(zip(entries["exp_id"], entries["publication_id"], strict=True))
    with_photons = entries[entries["photon_experiment"].notna()]
    pairs = set(zip(with_photons["publication_id"], with_photons["photon_experiment"].astype(int), strict=True))
    of_photons = set(zip(photons.index["publication_id"], photons.index["photon_experiment"], strict=True))
    of_ions = dict(zip(ions.index["exp_id"], ions.index["publication_id"], strict=True))
    found: list[tuple[str, list[Any]]] = [
        ("ion curves without an entry: experiment", sorted(set(of_ions) - set(known))),
        ("entries without a line of ion data: experiment", sorted(set(known) - set(of_ions))),
        (
            "ion curves of another publication than their entry: experiment",
            sorted(e for e, publication in of_ions.items() if known.get(e, publication) != publication),
        ),
        ("photon curves without an entry: (publication, experiment)", sorted(of_photons - pairs)),
        ("entries without a line of photon data: (publication, experiment)", sorted(pairs - of_photons)),
    ]
    return tuple(f"{len(items)} {words} {_some(items)}" for words, items in found if items)


def _let_warnings(entries: pd.DataFrame) -> tuple[str, ...]:
    let = entries["let_kev_um"]
    lowest, highest = _POSSIBLE_LET
    bad = entries["exp_id"][(let < lowest) | (let > highest)].tolist()
    if not bad:
        return ()
    return (f"{len(bad)} LET outside {lowest:g} to {highest:g} keV/um: experiment {_some(bad)}; is it in MeV/cm?",)


def _some(items: list[Any], shown: int = 5) -> str:
    words = ", ".join(str(item) for item in items[:shown])
    return words + (" and more" if len(items) > shown else "")


def _refitted(points: pd.DataFrame) -> tuple[Any, ...]:
    try:
        fit = fit_unweighted(points["dose_gy"].to_numpy(), points["survival"].to_numpy())
    except FitError as error:
        zeros = int((points["survival"] == 0).sum())
        return ("", math.nan, math.nan, math.nan, len(points) - zeros, zeros, str(error))
    return (fit.form, fit.alpha_per_gy, fit.beta_per_gy2, fit.intercept, fit.points, fit.left_out, "")


_REFIT_UNITS = {
    "exp_id": "",
    "radiation": "",
    "form": "",
    "alpha_per_gy": "1/Gy",
    "beta_per_gy2": "1/Gy2",
    "intercept": "1",
    "points": "1",
    "left_out": "1",
    "not_fitted": "",
    "pide_alpha_per_gy": "1/Gy",
    "pide_beta_per_gy2": "1/Gy2",
}


def _dose_at(survival: float, alpha: np.ndarray[Any, Any], beta: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Returns the smallest dose at a survival level, NaN where the coefficients are missing or never reach it."""
    effect = -math.log(survival)
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(alpha**2 + 4.0 * beta * effect)
        return np.where((alpha > 0) | (beta > 0), 2.0 * effect / (alpha + root), np.nan)


def _with_attrs(table: pd.DataFrame, units: dict[str, str]) -> pd.DataFrame:
    table.attrs = {"units": {name: unit for name, unit in units.items() if unit}, "terms": PIDE_TERMS}
    return table
