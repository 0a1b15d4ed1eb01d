"""TOPAS CSV scorers: files of TOPAS 3.9, their parameter files, and files that went wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from braggbook.errors import ScienceError
from braggbook.radiobiology.io import depth_curve, read_topas

HEADER = """# TOPAS Version: 3.9
# Parameter File: run.txt
# Results for scorer: Depth
# Scored in component: Phantom
# X in 1 bin  of 10 cm
# Y in 1 bin  of 10 cm
# Z in 4 bins of 0.5 cm
"""
DOSE = "# DoseToWater ( Gy ) : Mean   Standard_Deviation   \n"
ROWS = "".join(f"0, 0, {at}, {at + 1}e-9, 2e-9\n" for at in range(4))
PARAMETERS = """s:Ge/Phantom/Type = "TsBox"
s:Ge/Phantom/Material = "G4_WATER"   # liquid
d:Ge/Phantom/HLX = 5 cm
d:Ge/Phantom/HLZ = 10 mm
s:Sc/Depth/Quantity = "ProtonLET"
i:So/Beam/NumberOfHistoriesInRun = 400
"""


def write(folder: Path, text: str, name: str = "depth.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


class TestRealFiles:
    """From the tests of pymchelper (MIT): https://github.com/DataMedSci/pymchelper."""

    def test_a_box(self, mirror: Path) -> None:
        folder = mirror / "mc_outputs" / "topas" / "minimal"
        found = read_topas(folder / "fluence_bp_protons_xy.csv", medium="vacuum")
        assert found["fluence"].dims == ("x", "y", "z")
        assert found["fluence"].shape == (4, 4, 1)
        assert found["x"].to_numpy() == pytest.approx([-1.125, -0.375, 0.375, 1.125])
        assert float(found["fluence"][0, 3, 0]) == 0.000888888888888889
        assert float(found["fluence_sum"][2, 0, 0]) == 0.0533333346247673
        assert found["fluence"].attrs["units"] == "1/mm2"
        assert found["fluence"].attrs["normalisation"] == "per primary"
        assert found["fluence_sum"].attrs["normalisation"] == "total"
        assert found["fluence"].attrs["particles"] == 'OnlyIncludeIfIncidentParticlesNamed = 1 "proton"'
        assert found.attrs["primaries"] == 20  # sum over mean, and what the parameter file says
        spread = float(found["fluence_standard_deviation"][0, 0, 0])
        assert float(found["fluence_uncertainty"][0, 0, 0]) == pytest.approx(spread / np.sqrt(20))
        with_parameters = read_topas(
            folder / "fluence_bp_protons_xy.csv", parameters=folder / "minimal.txt", medium="vacuum"
        )
        assert with_parameters.equals(found)

    def test_the_medium_of_a_parallel_component_is_asked_for(self, mirror: Path) -> None:
        folder = mirror / "mc_outputs" / "topas" / "minimal"
        with pytest.raises(ScienceError, match="medium: the file does not say"):
            read_topas(folder / "fluence_bp_protons_xy.csv", parameters=folder / "minimal.txt")

    def test_bins_of_energy(self, mirror: Path) -> None:
        path = mirror / "mc_outputs" / "topas" / "binning_by_energy" / "fluence_bp_protons_xy.csv"
        found = read_topas(path, medium="vacuum", histories=20)
        assert found["dose"].dims == ("x", "y", "z", "energy")
        assert found["energy"].to_numpy() == pytest.approx(np.arange(5.0, 100.0, 10.0))
        # first row of the file: 13 bins of two columns, the first of them underflow
        assert found["dose"][0, 0, 0].to_numpy()[5:7] == pytest.approx([9.080903509193889e-11, 9.013105463113584e-11])
        columns = np.loadtxt(path, delimiter=",")
        assert float(found["dose"].sum()) == pytest.approx(columns[:, 2:22:2].sum(), rel=1e-12)
        for outside in ("dose_underflow", "dose_overflow", "dose_no_incident_track"):
            assert found[outside].dims == ("x", "y", "z")
            assert float(abs(found[outside]).sum()) == 0.0

    def test_a_cylinder_begins_where_its_parameters_say(self, mirror: Path) -> None:
        """The radius is 50 to 55 cm and the angle 20 to 120 degrees; a reader that begins at 0 is 50 cm off."""
        folder = mirror / "mc_outputs" / "topas" / "cylinder"
        found = read_topas(folder / "MyScorer.csv", parameters=folder / "FoilToCylinder.txt")
        assert found["r_edges"].to_numpy() == pytest.approx([50, 52.5, 55])
        assert found["phi_edges"].to_numpy() == pytest.approx([20, 70, 120])
        assert found["phi"].attrs["units"] == "deg"
        assert found["z_edges"].to_numpy() == pytest.approx([-50, 50])
        assert found.attrs["filters"].count("Only") == 2
        with pytest.raises(ScienceError) as refused:
            read_topas(folder / "MyScorer.csv", medium="vacuum")
        assert [issue.where for issue in refused.value.issues] == ["r", "phi"]
        placed = read_topas(folder / "MyScorer.csv", origin={"r": 50.0, "phi": 20.0}, medium="Vacuum")
        assert placed["r_edges"].to_numpy() == pytest.approx([50, 52.5, 55])

    def test_a_sphere_in_bins_of_time(self, mirror: Path) -> None:
        folder = mirror / "mc_outputs" / "topas" / "sphere"
        found = read_topas(folder / "MyScorer.csv", parameters=folder / "sphere.txt")
        assert found["surfacetrackcount"].dims == ("r", "phi", "theta", "time")
        assert found["time"].attrs["units"] == "ns"
        # rows are 1 underflow, 10 bins, 1 overflow; the score of 0.1 stands in the third column
        assert found["surfacetrackcount"].to_numpy().reshape(4, 10)[:, 1] == pytest.approx([0.1, 0, 0.1, 0])

    def test_a_surface_without_bins(self, mirror: Path) -> None:
        folder = mirror / "mc_outputs" / "topas" / "no_bins"
        with pytest.raises(ScienceError, match="frame: the file does not say"):
            read_topas(folder / "MyScorer.csv", medium="Vacuum")
        found = read_topas(folder / "MyScorer.csv", medium="Vacuum", frame="surface of the cylinder")
        assert float(found["surfacetrackcount"]) == 0.1


class TestDepth:
    def test_a_depth_dose_becomes_a_curve(self, tmp_path: Path) -> None:
        found = read_topas(write(tmp_path, HEADER + DOSE + ROWS), histories=100)
        curve = depth_curve(found, "dose", code="TOPAS")
        assert curve.depth_mm == pytest.approx([-7.5, -2.5, 2.5, 7.5])
        assert curve.value == pytest.approx([1e-9, 2e-9, 3e-9, 4e-9])
        assert curve.uncertainty == pytest.approx([2e-10] * 4)
        assert (curve.medium, curve.particles, curve.normalisation) == ("water", "all", "per primary")

    def test_rows_in_another_order_are_put_in_place(self, tmp_path: Path) -> None:
        rows = "".join(reversed(ROWS.splitlines(keepends=True)))
        found = read_topas(write(tmp_path, HEADER + DOSE + rows))
        assert found["dose"].to_numpy().ravel() == pytest.approx([1e-9, 2e-9, 3e-9, 4e-9])
        assert "dose_uncertainty" not in found  # nobody said how many histories there were

    def test_weighting_of_let_is_asked_for_or_read(self, tmp_path: Path) -> None:
        text = HEADER + "# ProtonLET ( MeV/mm/(g/cm3) ) : Mean   \n" + "".join(f"0, 0, {at}, 0.5\n" for at in range(4))
        path = write(tmp_path, text)
        with pytest.raises(ScienceError) as refused:
            read_topas(path)
        assert [issue.where for issue in refused.value.issues] == ["averaging", "medium"]
        told = read_topas(path, averaging="track-averaged", medium="water")
        assert told["let"].attrs["averaging"] == "track-averaged"
        assert told["let"].attrs["units"] == "MeV/mm/g cm3"
        assert told["let"].attrs["particles"] == "all protons"
        assert told["let"].attrs["normalisation"] == "not applicable"
        by_default = read_topas(path, parameters=write(tmp_path, PARAMETERS, "run.txt"))
        assert by_default["let"].attrs["averaging"] == "dose-averaged"
        assert by_default["let"].attrs["medium"] == "G4_WATER"
        weighted = PARAMETERS + 's:Sc/Depth/WeightBy = "Track"\n'
        assert (
            read_topas(path, parameters=write(tmp_path, weighted, "run.txt"))["let"].attrs["averaging"]
            == "track-averaged"
        )
        with pytest.raises(ScienceError, match="averaging: the file says otherwise; wanted 'track-averaged', got"):
            read_topas(path, parameters=tmp_path / "run.txt", averaging="dose-averaged")


class TestDamage:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("1, 2, 3\n", "not a CSV scorer of TOPAS"),
            (HEADER + DOSE, "a scorer without values"),
            (HEADER + DOSE + ROWS[:-20], "rows are missing; wanted 4, got 3"),
            (HEADER + DOSE + ROWS[:-1], "the last line has no end: the file is cut off; got 0, 0, 3, 4e-9, 2e-9"),
            (HEADER + DOSE + ROWS[:-7] + "\n", "row 4: not as many values as the header names; wanted 2 or 5, got 4"),
            (HEADER + DOSE + ROWS + ROWS, "too many rows; wanted 4, got 8"),
            (HEADER + DOSE + ROWS.replace("3e-9", "three"), "row 3: not numbers; got 0, 0, 2, three, 2e-9"),
            (HEADER + DOSE + ROWS.replace("0, 0, 3,", "0, 0, 2,"), "the bins are not each there once"),
            (HEADER + DOSE + ROWS.replace("0, 0, 3,", "0, 0, 4,"), "the bins are not each there once"),
            (HEADER + DOSE + ROWS.replace("3e-9", "nan"), "row 3: not finite numbers; got 0, 0, 2, nan, 2e-9"),
            (HEADER + DOSE + ROWS.replace("3e-9", "3,5e-9"), "row 3: not as many values as the header names"),
            ((HEADER + DOSE + ROWS).replace(".", ","), "a header line with a damaged number; got # Z in 4"),
            (
                HEADER.replace("of 0.5 cm", "of 0.S cm") + DOSE + ROWS,
                "a header line with a damaged number; got # Z in 4",
            ),
            (HEADER.replace("4 bins of 0.5 cm", "4 bins of 0 cm") + DOSE + ROWS, "not an axis of a scoring grid"),
            (HEADER.replace("4 bins", "99999999999 bins") + DOSE + ROWS, "wanted 1 to 10000000 bins between"),
        ],
    )
    def test_damaged_files_are_refused(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(ScienceError) as refused:
            read_topas(write(tmp_path, text))
        assert message in str(refused.value)

    def test_what_editors_and_other_systems_add_is_no_damage(self, tmp_path: Path) -> None:
        text = HEADER + DOSE + ROWS
        plain = read_topas(write(tmp_path, text))
        for other in ("\ufeff" + text, text.replace("\n", "\r\n"), text + "\n"):
            assert read_topas(write(tmp_path, other)).identical(plain)

    def test_histories_that_contradict(self, tmp_path: Path) -> None:
        text = HEADER + "# Fluence ( /mm2 ) : Mean   Sum   \n" + "".join(f"0, 0, {at}, 0.5, 50\n" for at in range(4))
        path = write(tmp_path, text)
        assert read_topas(path, medium="water").attrs["primaries"] == 100
        with pytest.raises(ScienceError) as refused:
            read_topas(path, medium="water", histories=200)
        assert "wanted one number, got 200 (histories=), 100 (sum over mean)" in str(refused.value)
        with pytest.raises(ScienceError, match=r"100 \(sum over mean\)"):
            read_topas(path, parameters=write(tmp_path, PARAMETERS, "run.txt"))

    def test_parameters_of_another_run(self, tmp_path: Path) -> None:
        other = write(tmp_path, PARAMETERS.replace("HLZ = 10 mm", "HLZ = 25 mm"), "run.txt")
        with pytest.raises(ScienceError, match="z: not as wide as its component; wanted 5 cm, got 2 cm"):
            read_topas(write(tmp_path, HEADER + DOSE + ROWS), parameters=other)

    def test_parameters_that_are_calculated(self, tmp_path: Path) -> None:
        other = write(tmp_path, PARAMETERS.replace("10 mm", "0.5 * Ge/World/HLZ mm"), "run.txt")
        with pytest.raises(ScienceError, match="Ge/Phantom/HLZ is not a plain value; wanted a number in cm"):
            read_topas(write(tmp_path, HEADER + DOSE + ROWS), parameters=other)

    def test_no_parameter_file(self, tmp_path: Path) -> None:
        with pytest.raises(ScienceError, match="not a parameter file of TOPAS"):
            read_topas(write(tmp_path, HEADER + DOSE + ROWS), parameters=write(tmp_path, "hello\n", "run.txt"))
