"""SHIELD-HIT12A .bdo files: two formats, grids in place, and files that break off."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from braggbook.errors import ScienceError
from braggbook.radiobiology.beams import summarize_depth_dose
from braggbook.radiobiology.io import depth_curve, read_shieldhit


@pytest.fixture
def files(mirror: Path) -> Path:
    return mirror / "mc_outputs" / "shieldhit"


class TestFormatOf2019:
    @pytest.fixture
    def path(self, files: Path) -> Path:
        return files / "v1.0.0" / "ex_yzmsh.bdo"

    def test_pages_and_what_they_are(self, path: Path) -> None:
        found = read_shieldhit(path, medium="water")
        assert list(found.data_vars) == ["dose", "tlet", "zone"]
        assert found["tlet"].attrs["averaging"] == "track-averaged"
        assert found["tlet"].attrs["quantity"] == "LET"
        assert found["tlet"].attrs["units"] == "MeV/cm"
        assert found["tlet"].attrs["normalisation"] == "not applicable"
        assert found["dose"].attrs["units"] == "MeV/g"
        assert found["dose"].attrs["normalisation"] == "per primary"
        assert found["dose"].attrs["particles"] == "all"
        assert found["zone"].attrs["medium"] == "not applicable"
        assert found.attrs["primaries"] == 6000
        assert found.attrs["code_version"].startswith("v1.0.0")
        assert "direction of the beam not stated" in found.attrs["frame"]

    def test_the_grid_is_that_of_detect_dat(self, path: Path) -> None:
        found = read_shieldhit(path, medium="water")
        assert dict(found.sizes) == {"x": 1, "y": 100, "z": 300, "x_edge": 2, "y_edge": 101, "z_edge": 301}
        assert found["y_edges"].to_numpy()[[0, -1]] == pytest.approx([-5, 5])
        assert found["z_edges"].to_numpy()[[0, -1]] == pytest.approx([0, 30])

    def test_the_beam_is_on_the_axis_and_ends_where_carbon_ions_of_391_mev_u_do(self, path: Path) -> None:
        """Axes mixed up, or Fortran order read as C order, would put the peak anywhere else."""
        found = read_shieldhit(path, medium="water")
        lateral = found["dose"].sum(["x", "z"]).to_numpy()
        assert abs(float(found["y"][int(np.argmax(lateral))])) < 0.2
        depth_mm, depth_dose = 10 * found["z"].to_numpy(), found["dose"].mean(["x", "y"]).to_numpy()
        peak = float(depth_mm[int(np.argmax(depth_dose))])
        assert 255 < peak < 275  # CSDA range of 12C at 391 MeV/u in water is 27 cm

    def test_the_medium_is_asked_for(self, path: Path) -> None:
        with pytest.raises(ScienceError, match=r"ex_yzmsh\.bdo, DOSE: a scored quantity must say what it is"):
            read_shieldhit(path)

    def test_a_frame_can_be_given(self, path: Path) -> None:
        assert read_shieldhit(path, medium="water", frame="beam along z").attrs["frame"] == "beam along z"

    def test_jobs_of_one_run_are_averaged_and_have_an_uncertainty(self, path: Path, tmp_path: Path) -> None:
        copies = [shutil.copy(path, tmp_path / f"ex000{n}.bdo") for n in (1, 2)]
        one, both = read_shieldhit(path, medium="water"), read_shieldhit(copies, medium="water")
        assert both["dose"].to_numpy() == pytest.approx(one["dose"].to_numpy())
        assert both["tlet"].to_numpy() == pytest.approx(one["tlet"].to_numpy())
        assert float(abs(both["dose_uncertainty"]).max()) == pytest.approx(0.0, abs=1e-12)  # the same job twice

    @pytest.mark.parametrize("part", [0.001, 0.01, 0.3, 0.5, 0.9, 0.999])
    def test_a_file_that_breaks_off_is_refused(self, path: Path, tmp_path: Path, part: float) -> None:
        data = path.read_bytes()
        cut = tmp_path / "cut.bdo"
        cut.write_bytes(data[: int(part * len(data))])
        with pytest.raises(ScienceError, match="bdo"):
            read_shieldhit(cut, medium="water")


class TestFormatOf2010:
    def test_a_depth_profile(self, files: Path) -> None:
        found = read_shieldhit(files / "single" / "ex_zmsh.bdo", medium="water")
        assert found["energy"].shape == (1, 1, 300)
        assert found["energy"].attrs["units"] == "MeV"
        assert found["energy"].attrs["normalisation"] == "per primary"
        assert found["energy"].attrs["particles"] == "all"
        assert found.attrs["primaries"] == 3000

    def test_a_cylinder_has_radius_and_angle(self, files: Path) -> None:
        found = read_shieldhit(files / "single" / "ex_cyl.bdo", medium="water")
        assert found["energy"].dims == ("r", "phi", "z")
        assert found["phi"].attrs["units"] == "rad"
        assert found["phi_edges"].to_numpy() == pytest.approx([0, 2 * np.pi])

    def test_it_becomes_a_curve(self, files: Path) -> None:
        curve = depth_curve(read_shieldhit(files / "single" / "ex_zmsh.bdo", medium="water"), "energy", code="SH12A")
        assert curve.depth_mm[[0, -1]] == pytest.approx([0.5, 299.5])
        assert 255 < summarize_depth_dose(curve.depth_mm, curve.value).peak_depth_mm < 275

    def test_a_map_of_zones_needs_no_medium(self, files: Path) -> None:
        found = read_shieldhit(files / "single" / "ex_yzzon.bdo")
        assert set(np.unique(found["zone"])) <= {0, 1, 2, 3}
        assert found["zone"].attrs["averaging"] == "not applicable"

    @pytest.mark.parametrize("part", [0.02, 0.3, 0.9])
    def test_a_file_that_breaks_off_is_refused(self, files: Path, tmp_path: Path, part: float) -> None:
        data = (files / "single" / "ex_zmsh.bdo").read_bytes()
        cut = tmp_path / "cut.bdo"
        cut.write_bytes(data[: int(part * len(data))])
        with pytest.raises(ScienceError, match="bdo"):
            read_shieldhit(cut, medium="water")

    def test_a_header_that_asks_for_more_bins_than_there_can_be(self, files: Path, tmp_path: Path) -> None:
        data = bytearray((files / "single" / "ex_ymsh.bdo").read_bytes())
        known = struct.pack("<i", 100)  # bins along y
        bomb = tmp_path / "bomb.bdo"
        places = [at for at in range(len(data) - 4) if data[at : at + 4] == known]
        assert places
        for at in places:
            damaged = data.copy()
            damaged[at : at + 4] = struct.pack("<i", 2**31 - 1)
            bomb.write_bytes(bytes(damaged))
            with pytest.raises(ScienceError, match=r"bomb\.bdo|not an axis of a scoring grid"):
                read_shieldhit(bomb, medium="water")


def test_other_files_are_refused(tmp_path: Path) -> None:
    noise = tmp_path / "noise.bdo"
    noise.write_bytes(np.random.default_rng(4).bytes(5000))
    with pytest.raises(ScienceError, match=r"noise\.bdo"):
        read_shieldhit(noise, medium="water")
    (tmp_path / "empty.bdo").touch()
    with pytest.raises(ScienceError, match=r"empty\.bdo: the file is empty"):
        read_shieldhit(tmp_path / "empty.bdo", medium="water")
    with pytest.raises(ScienceError, match="no such file"):
        read_shieldhit(tmp_path / "none.bdo", medium="water")
    with pytest.raises(ScienceError, match="no file"):
        read_shieldhit([], medium="water")
