"""PIDE's three files, written here by code in their layout; no row of PIDE is in this repository."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from braggbook.errors import DatasetMissing, FitError, ScienceError, UnknownName
from braggbook.radiobiology.io.pide import PIDE_TERMS, Pide, read_pide, read_pide_entries
from braggbook.radiobiology.io.pide_raw import read_ion_curves
from braggbook.radiobiology.io.pide_refit import fit_unweighted
from braggbook.radiobiology.rbe import rbe_library

HEADING = [
    "#ExpID",
    "#Publication",
    "PublicationName",
    "#IonExp",
    "Cells",
    "CellClass",
    "CellOrigin",
    "CellCycle",
    "DNAcontent",
    "PhotonRadiation",
    "#PhotonExp",
    "Ion",
    "Charge",
    "IrradiationConditions",
    "LET",
    "Energy",
    "ax_paper",
    "bx_paper",
    "ai_paper",
    "bi_paper",
    "ax_fit",
    "bx_fit",
    "ai_fit",
    "bi_fit",
]
PLAIN = [name.strip("#") for name in HEADING]
# Invented: alpha 0.8, beta 0.02 for the ion, 0.2 and 0.05 for the photons
ENTRY = [1, 1, "Made2001", 1, "XY1", "n", "r", "a", 5.6, "60Co", 1, "12C", 6, "m", 77.0, 88.0]
ENTRY += [0.2, 0.05, 0.8, 0.02, 0.2, 0.05, 0.8, 0.02]
DOSES = (0.0, 1.0, 2.0, 4.0, 6.0)


def survival(alpha: float, beta: float, doses: tuple[float, ...] = DOSES) -> list[float]:
    return [math.exp(-alpha * dose - beta * dose**2) for dose in doses]


def words(*values: Any) -> str:
    return "\t".join(map(str, values))


def curve(alpha: float, beta: float) -> list[float]:
    return [value for pair in zip(DOSES, survival(alpha, beta), strict=True) for value in pair]


Write = Callable[..., tuple[Path, Path, Path]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def made(
        rows: list[list[Any]] | None = None,
        ions: str | None = None,
        photons: str | None = None,
        heading: list[str] = HEADING,
    ) -> tuple[Path, Path, Path]:
        second = [2, 1, "Made2001", 2, "XY1", "t", "h", "N/A", "N/A", "60Co", 1, "1H", 1, "s", 4.0, "N/A"]
        second += ["N/A"] * 6 + ["N/A", "N/A"]
        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        for row in [heading, *([ENTRY, second] if rows is None else rows)]:
            sheet.append(row)
        book.save(tmp_path / "PIDE.xlsx")
        lines = words(1, 1, "Made2001", 1, 1, *curve(0.8, 0.02)) + "\n" + words(2, 1, "Made2001", 2, 1, "N/A") + "\n"
        (tmp_path / "ion.dat").write_text(lines if ions is None else ions, encoding="utf-8")
        lines = words(1, 1, "Made2001", 1, *curve(0.2, 0.05)) + "\n"
        (tmp_path / "photon.dat").write_text(lines if photons is None else photons, encoding="utf-8")
        return tmp_path / "PIDE.xlsx", tmp_path / "ion.dat", tmp_path / "photon.dat"

    return made


def read(paths: tuple[Path, Path, Path]) -> Pide:
    return read_pide(paths[0], ion_raw=paths[1], photon_raw=paths[2])


@pytest.mark.parametrize("heading", [HEADING, [*PLAIN[:1], "PublicationID", *PLAIN[2:3], "IonExpNum", *PLAIN[4:]]])
def test_entries_are_harmonised(write: Write, heading: list[str]) -> None:
    pide = read(write(heading=heading))
    first, second = (pide.entry(number) for number in (1, 2))
    assert (first["cell_class"], first["cell_origin"], first["irradiation"]) == ("normal", "rodent", "mono-energetic")
    assert (second["cell_class"], second["cell_origin"], second["irradiation"]) == ("tumour", "human", "SOBP")
    assert (first["particle"], first["charge"], first["let_kev_um"], first["energy_mev_u"]) == ("12C", 6, 77.0, 88.0)
    assert (first["alpha_reference_published_per_gy"], first["beta_refit_per_gy2"]) == (0.2, 0.02)
    assert math.isnan(second["energy_mev_u"])
    assert pide.entries["cell_cycle"].isna().tolist() == [False, True]
    units = pide.entries.attrs["units"]
    assert (units["let_kev_um"], units["energy_mev_u"], units["beta_refit_per_gy2"]) == ("keV/um", "MeV/u", "1/Gy2")
    assert pide.warnings == ()


def test_the_terms_come_with_the_data(write: Write) -> None:
    pide = read(write())
    assert "10.1093/jrr/rrs114" in PIDE_TERMS
    assert "do not pass the files on" in PIDE_TERMS
    tables = (pide.entries, pide.ions.points, pide.ions.index, pide.photons.points, pide.refit(), pide.rbe_table())
    assert {table.attrs["terms"] for table in tables} == {pide.terms}


def test_curves_are_linked_to_their_entry(write: Write) -> None:
    pide = read(write())
    ion, photon = pide.curves(1)
    assert ion["survival"].tolist() == pytest.approx(survival(0.8, 0.02))
    assert photon["dose_gy"].tolist() == list(DOSES)
    ion, photon = pide.curves(2)  # the second ion curve has no points, its photons are those of the first
    assert (len(ion), len(photon)) == (0, 5)
    assert pide.ions.index["points"].tolist() == [5, 0]
    with pytest.raises(UnknownName, match="PIDE experiment"):
        pide.curves(3)


def test_counts_are_held_against_version_3_4(write: Write) -> None:
    counts = read(write()).counts.set_index("what")
    assert counts.loc["entries"].tolist() == [2, 1219, False]
    assert counts.loc["ion curves without points"].tolist() == [1, 174, False]
    assert counts["in_file"].to_dict() == {
        "entries": 2,
        "publications": 1,
        "cell lines": 1,
        "ion species": 2,
        "mono-energetic": 1,
        "SOBP": 1,
        "normal cells": 1,
        "tumour cells": 1,
        "human cells": 1,
        "rodent cells": 1,
        "published photon coefficients": 1,
        "refitted photon coefficients": 1,
        "refitted ion coefficients": 1,
        "ion curves": 2,
        "ion curves without points": 1,
        "photon curves": 1,
        "photon curves without points": 0,
    }


def test_the_refit_stands_beside_theirs(write: Write) -> None:
    found = read(write()).refit()
    assert found[["exp_id", "radiation"]].to_numpy().tolist() == [[1, "ion"], [1, "photon"], [2, "photon"]]
    assert found["form"].tolist() == ["linear-quadratic"] * 3
    assert found["alpha_per_gy"].tolist() == pytest.approx([0.8, 0.2, 0.2])
    assert found["beta_per_gy2"].tolist() == pytest.approx([0.02, 0.05, 0.05])
    assert found["pide_alpha_per_gy"].tolist() == pytest.approx([0.8, 0.2, math.nan], nan_ok=True)


def test_rbe_from_the_coefficients(write: Write) -> None:
    table = read(write()).rbe_table(survival=0.1)
    reference = (-0.2 + math.sqrt(0.04 + 0.2 * math.log(10))) / 0.1
    dose = (-0.8 + math.sqrt(0.64 + 0.08 * math.log(10))) / 0.04
    assert table["rbe"].tolist() == pytest.approx([reference / dose])
    assert len(rbe_library(table)) == 0  # PIDE does not say how LET was averaged
    (entry,) = rbe_library(table, accept_unstated=["let_kind"]).entries
    assert entry.rbe.dose_gy == pytest.approx(dose)
    assert (entry.row_id, entry.rbe.reference_radiation, entry.source) == (
        "PIDE 1",
        "60Co",
        "PIDE, publication Made2001",
    )
    with pytest.raises(ScienceError, match="between 0 and 1"):
        read(write()).rbe_table(survival=10)
    with pytest.raises(UnknownName, match="did you mean published"):
        read(write()).rbe_table(coefficients="publish")


# The unweighted fit


def test_the_best_form_is_taken() -> None:
    noise = np.array([0.0, 0.03, -0.04, 0.02, 0.01])
    for alpha, beta, form in ((0.5, 0.0, "linear"), (0.0, 0.08, "quadratic"), (0.4, 0.05, "linear-quadratic")):
        found = fit_unweighted(DOSES, survival(alpha, beta))
        assert (found.form, found.points, found.left_out) == (form, 5, 0)
        assert (found.alpha_per_gy, found.beta_per_gy2) == pytest.approx((alpha, beta), abs=1e-9)
    dose = np.array(DOSES)
    effect = 0.4 * dose + 0.05 * dose**2 + 0.1 + noise
    found = fit_unweighted(dose, np.exp(-effect))
    expected = np.polyfit(dose, effect, 2)
    assert (found.beta_per_gy2, found.alpha_per_gy, found.intercept) == pytest.approx(tuple(expected))
    assert found.reduced_chi2 == pytest.approx(np.sum((np.polyval(expected, dose) - effect) ** 2) / 2)


def test_negative_coefficients_are_as_estimated() -> None:
    found = fit_unweighted([0, 1, 2, 3, 4, 5], survival(0.9, -0.03, (0, 1, 2, 3, 4, 5)))
    assert found.beta_per_gy2 == pytest.approx(-0.03)


def test_a_survival_of_zero_is_left_out_and_counted() -> None:
    found = fit_unweighted([*DOSES, 20.0], [*survival(0.4, 0.05), 0.0])
    assert (found.points, found.left_out) == (5, 1)
    with pytest.raises(FitError, match="too few points for a curve"):
        fit_unweighted([1.0, 2.0], [0.5, 0.2])
    with pytest.raises(FitError):
        fit_unweighted([2.0, 2.0, 2.0], [0.5, 0.4, 0.45])
    with pytest.raises(ScienceError, match="finite doses"):
        fit_unweighted([1.0, -2.0, 3.0], [0.5, 0.2, 0.1])
    with pytest.raises(ScienceError, match="one dose per survival"):
        fit_unweighted([1.0, 2.0], [0.5])


# Raw files


def test_names_may_have_blanks_and_other_letters(write: Write) -> None:
    paths = write()
    blanks = "1 1 Müller and Meier 1999 b 1 1 0.5 0.9 1.5 0.6\n"
    paths[1].write_bytes(blanks.encode("latin-1"))
    with pytest.raises(ScienceError, match="line 1: not a whole number: 'b'"):
        read_ion_curves(paths[1])  # a year in a name can only be told apart with tabs
    paths[1].write_bytes("# a heading\n1\t1\tMüller 1999\t1\t1\t0.5\t0.9\t1.5\t0.6\t\t\n\n".encode("latin-1"))
    found = read_ion_curves(paths[1])
    assert found.index.to_numpy().tolist() == [[2, 1, 1, "Müller 1999", 1, 1, 2]]
    paths[1].write_text("7 1 van Dam 1 2 0.5 0.9\n", encoding="utf-8")
    assert read_ion_curves(paths[1]).points.to_numpy().tolist() == [[7, 1, "van Dam", 1, 2, 1, 0.5, 0.9]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2\t1\tA\t1\t1\t0.5\t0.9\t1.0", "line 2: a dose without a survival (3 values)"),
        ("2\t1\tA\t1\t1\t0.5\t0,9", "line 2: not a number: '0,9'"),
        ("2\t1\tA\t1", "line 2: too few columns (4)"),
        ("x\t1\tA\t1\t1\tN/A", "line 2: not a whole number: 'x'"),
        ("2\t1\tA\t1\t1\t-0.5\t0.9", "line 2: a dose is not usable; got -0.5 Gy"),
        ("2\t1\tA\t1\t1\t0.5\t-0.9", "line 2: a survival is not usable; got -0.9"),
        ("2\t1\tA\t1\t1\t0.5\tnan", "line 2: a survival is not usable; got nan"),
        ("1\t1\tA\t1\t1\tN/A", "line 2: a second curve of one experiment; got as line 1"),
    ],
)
def test_a_bad_line_is_named(write: Write, line: str, message: str) -> None:
    paths = write(ions=words(1, 1, "A", 1, 1, *curve(0.8, 0.02)) + "\n" + line + "\n")
    with pytest.raises(ScienceError, match=r"not a file of PIDE raw data: ion\.dat") as caught:
        read(paths)
    (issue,) = caught.value.issues
    assert str(issue).startswith(message)


def test_curves_without_a_partner_are_warnings(write: Write) -> None:
    ions = words(1, 9, "A", 1, 1, "N/A") + "\n" + words(5, 1, "A", 1, 1, "N/A") + "\n"
    pide = read(write(ions=ions, photons=words(1, 1, "A", 4, "N/A") + "\n"))
    assert pide.warnings == (
        "1 ion curves without an entry: experiment 5",
        "1 entries without a line of ion data: experiment 2",
        "1 ion curves of another publication than their entry: experiment 1",
        "1 photon curves without an entry: (publication, experiment) (1, 4)",
        "1 entries without a line of photon data: (publication, experiment) (1, 1)",
    )


# The workbook


def changed(**cells: Any) -> list[Any]:
    row = list(ENTRY)
    for name, value in cells.items():
        row[PLAIN.index(name)] = value
    return row


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"LET": -1.0}, "row 2, let_kev_um: not usable; wanted a number above 0, or N/A, got -1"),
        ({"LET": "77,0"}, "row 2, let_kev_um: not usable; wanted a number above 0, or N/A, got 77,0"),
        ({"Energy": "inf"}, "row 2, energy_mev_u: not usable; wanted a number above 0, or N/A, got inf"),
        ({"CellClass": "x"}, "row 2, cell_class: an unknown letter; wanted t or n, got x"),
        ({"IrradiationConditions": "q"}, "row 2, irradiation: an unknown letter; wanted m or s, got q"),
        ({"ExpID": 1.5}, "row 2, exp_id: not usable; wanted a whole number, or N/A, got 1.5"),
        ({"Cells": None}, "row 2, cell_line: empty; wanted text"),
        ({"Charge": True}, "row 2, charge: not usable; wanted a whole number, or N/A, got True"),
    ],
)
def test_a_bad_cell_is_named_as_the_workbook_counts(write: Write, cells: dict[str, Any], message: str) -> None:
    with pytest.raises(ScienceError, match=r"not a workbook of PIDE entries: PIDE\.xlsx") as caught:
        read(write(rows=[changed(**cells)]))
    assert [str(issue) for issue in caught.value.issues] == [message]


def test_workbooks_that_are_none(write: Write, tmp_path: Path) -> None:
    paths = write()
    with pytest.raises(ScienceError) as caught:
        read(write(heading=["#ExpID", *HEADING[1:-1], "beta_i"]))
    assert [str(issue) for issue in caught.value.issues] == ["beta_refit_per_gy2: missing column; wanted bi_fit"]
    with pytest.raises(ScienceError, match="an experiment stands twice"):
        read(write(rows=[ENTRY, ENTRY]))
    with pytest.raises(ScienceError, match="no entries"):
        read(write(rows=[]))
    with pytest.raises(ScienceError, match="a heading with ExpID"):
        read(write(heading=["x"] * 24))
    with pytest.raises(ScienceError, match="not an Excel workbook"):
        read_pide_entries(paths[1])
    with pytest.raises(DatasetMissing, match="no such file"):
        read_pide_entries(tmp_path / "absent.xlsx")
    with pytest.raises(DatasetMissing, match="cannot read the file"):
        read_pide(write()[0], ion_raw=tmp_path / "absent.dat", photon_raw=paths[2])


def test_an_entry_may_have_no_photons(write: Write) -> None:
    pide = read(write(rows=[changed(PhotonExp="N/A")]))
    assert len(pide.curves(1)[1]) == 0
    assert pide.warnings[-1] == "1 photon curves without an entry: (publication, experiment) (1, 1)"


def test_an_implausible_let_is_told(write: Write) -> None:
    assert read(write(rows=[changed(LET=0.05)])).warnings[-1] == (
        "1 LET outside 0.2 to 20000 keV/um: experiment 1; is it in MeV/cm?"
    )


def test_a_damaged_workbook_is_refused_wherever_the_damage_is(write: Write, tmp_path: Path) -> None:
    """Zip, its compression and the XML inside each have errors of their own; a byte within a free place may do no harm."""
    data = write()[0].read_bytes()
    random = np.random.default_rng(7)
    refused = 0
    for _ in range(60):
        damaged = bytearray(data)
        for at in random.integers(0, len(data), 20):
            damaged[at] = random.integers(0, 256)
        (tmp_path / "damaged.xlsx").write_bytes(bytes(damaged))
        try:
            read_pide_entries(tmp_path / "damaged.xlsx")
        except ScienceError:
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("path", [None, 5, b"x"])
def test_what_is_no_path_is_refused(write: Write, path: Any) -> None:
    workbook, ions, photons = write()
    with pytest.raises(ScienceError, match="not a path; wanted a text or a path"):
        read_pide_entries(path)
    with pytest.raises(ScienceError, match="not a path; wanted a text or a path"):
        read_pide(workbook, ion_raw=path, photon_raw=photons)
    with pytest.raises(DatasetMissing, match="File name too long"):
        read_pide_entries("x" * 5000)
    with pytest.raises(DatasetMissing, match="File name too long"):
        read_pide(workbook, ion_raw=ions, photon_raw="x" * 5000)
