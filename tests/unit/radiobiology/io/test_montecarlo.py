"""The contract that all readers share: what a dataset says, what is asked for, and how it becomes a curve."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from braggbook.errors import ScienceError, UnitError, UnknownName
from braggbook.radiobiology import io
from braggbook.radiobiology.io.montecarlo import (
    Axis,
    Scoring,
    build_dataset,
    depth_curve,
    library,
    scored,
    settle,
    text_of,
    uniform_axis,
)

LET = Scoring("LET", "MeV/cm", "dose-averaged", "all protons", "water", "beam", "not applicable")
DOSE = Scoring("dose", "MeV/g", "not applicable", "all", "water", "beam", "per primary")


def dataset(shape: tuple[int, int, int] = (1, 1, 5)) -> xr.Dataset:
    axes = [uniform_axis(name, 0.0, 2.0 * n, bins=n, units="cm") for name, n in zip("xyz", shape, strict=True)]
    values = np.arange(np.prod(shape), dtype=float).reshape(shape) + 1.0
    variables = {"dose" + end: entry for end, entry in scored(values, axes, DOSE, uncertainty=0.1 * values).items()}
    return build_dataset(axes, variables, attrs={"frame": "beam", "code": "none"})


def test_axes_have_centres_edges_and_units() -> None:
    found = dataset()
    assert found["z"].to_numpy() == pytest.approx([1, 3, 5, 7, 9])
    assert found["z_edges"].to_numpy() == pytest.approx([0, 2, 4, 6, 8, 10])
    assert found["z"].attrs == found["z_edges"].attrs == {"units": "cm"}
    log = uniform_axis("energy", 0.1, 1000.0, bins=4, units="MeV", logarithmic=True)
    assert log.edges == pytest.approx([0.1, 1, 10, 100, 1000])
    assert log.centres == pytest.approx(np.sqrt([0.1, 10, 1000, 100_000]))


def test_a_variable_says_what_it_is_and_the_dataset_what_all_share() -> None:
    found = dataset()
    assert found["dose"].attrs == {
        "units": "MeV/g",
        "quantity": "dose",
        "averaging": "not applicable",
        "particles": "all",
        "medium": "water",
        "normalisation": "per primary",
    }
    assert found["dose_uncertainty"].attrs == {"units": "MeV/g", "quantity": "standard error of dose"}
    assert found.attrs["averaging"] == "not applicable"
    axes = [uniform_axis("z", 0.0, 1.0, bins=1, units="cm")]
    mixed = {**scored([1.0], axes, LET), "_dose": scored([1.0], axes, DOSE)[""]}
    both = build_dataset(axes, mixed, attrs={"frame": "beam"})
    assert "averaging" not in both.attrs
    assert both.attrs["medium"] == "water"


def test_what_the_file_does_not_say_must_be_said() -> None:
    with pytest.raises(ScienceError) as refused:
        settle({"averaging": "not applicable", "particles": None}, {"frame": "beam"}, where="a.csv")
    assert str(refused.value) == (
        "a.csv: a scored quantity must say what it is\n"
        "  - particles: the file does not say; wanted particles= (it may be 'not stated')\n"
        "  - medium: the file does not say; wanted medium= (it may be 'not stated')"
    )
    said = {"averaging": "dose-averaged", "particles": "all", "medium": "Water", "frame": "beam"}
    assert settle(said, {"medium": "water"}, where="a.csv") == said
    with pytest.raises(ScienceError, match="medium: the file says otherwise; wanted 'Water', got 'silicon'"):
        settle(said, {"medium": "silicon"}, where="a.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"averaging": "mean"}, "averaging: not known"),
        ({"normalisation": "per particle"}, "normalisation: not known; got 'per particle'"),
        ({"particles": ""}, "particles: empty; wanted a text, or 'not stated'"),
        ({"units": "keV/mue"}, "unknown unit"),
    ],
)
def test_a_scoring_must_be_complete(change: dict[str, str], message: str) -> None:
    arguments = {**vars(LET), **change}
    with pytest.raises((ScienceError, UnitError)) as refused:
        Scoring(**arguments)
    assert message in str(refused.value)


def test_values_must_fill_the_grid_with_finite_numbers() -> None:
    axes = [uniform_axis("x", 0, 1, bins=2, units="cm"), uniform_axis("z", 0, 1, bins=2, units="cm")]
    with pytest.raises(ScienceError, match=r"values do not fill the grid; wanted shape \(2, 2\), got shape \(3,\)"):
        scored([1, 2, 3], axes, DOSE)
    with pytest.raises(ScienceError, match="bin 1, 2: not finite; got nan"):
        scored([[1, np.nan], [3, 4]], axes, DOSE)
    with pytest.raises(ScienceError, match="uncertainties are not usable; wanted 0 or more, got -1"):
        scored(np.ones((2, 2)), axes, DOSE, uncertainty=-np.ones((2, 2)))


@pytest.mark.parametrize(
    ("lower", "upper", "bins", "log"),
    [
        (0, 1, 0, False),
        (0, 1, 2**31, False),
        (1, 1, 3, False),
        (2, 1, 3, False),
        (0, 1, 3, True),
        (0, np.nan, 3, False),
    ],
)
def test_an_axis_that_is_none_is_refused(lower: float, upper: float, bins: int, log: bool) -> None:
    with pytest.raises(ScienceError, match="not an axis of a scoring grid"):
        uniform_axis("z", lower, upper, bins=bins, units="cm", logarithmic=log)


def test_paths_that_are_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScienceError, match="a folder, not a file"):
        text_of(tmp_path)
    with pytest.raises(ScienceError, match="no such file"):
        text_of(tmp_path / "none")
    with pytest.raises(ScienceError, match=r"the file cannot be opened; got .*File name too long"):
        text_of(tmp_path / ("x" * 5000))
    with pytest.raises(ScienceError, match="not a path; wanted a text or a path, got bytes"):
        text_of(b"x")  # type: ignore[arg-type]


def test_a_file_without_the_right_to_read_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("x", encoding="utf-8")
    path.chmod(0)
    me, nobody = os.geteuid(), 65534
    os.seteuid(nobody if me == 0 else me)  # nothing is unreadable for root
    try:
        with pytest.raises(ScienceError, match=r"cannot be opened; got .*Permission denied"):
            text_of(path)
    finally:
        os.seteuid(me)


class TestDepthCurve:
    def test_depth_comes_in_mm_with_everything_that_is_known(self) -> None:
        curve = depth_curve(dataset(), "dose", code="A")
        assert curve.depth_mm == pytest.approx([10, 30, 50, 70, 90])
        assert curve.value == pytest.approx([1, 2, 3, 4, 5])
        assert curve.uncertainty == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
        assert (curve.units, curve.particles, curve.frame, curve.normalisation) == (
            "MeV/g",
            "all",
            "beam",
            "per primary",
        )

    def test_a_wide_grid_is_no_curve(self) -> None:
        with pytest.raises(ScienceError, match="not a curve against depth; wanted bins along z only, got y has 2 bins"):
            depth_curve(dataset((1, 2, 5)), "dose", code="A")
        assert depth_curve(dataset((1, 2, 5)).isel(y=[1]), "dose", code="A").value[0] == 6.0

    def test_names_that_are_not_there(self) -> None:
        with pytest.raises(UnknownName, match="no variable named 'doses'"):
            depth_curve(dataset(), "doses", code="A")
        with pytest.raises(UnknownName, match="no axis named 'depth'"):
            depth_curve(dataset(), "dose", code="A", axis="depth")

    def test_a_moved_coordinate_has_another_frame(self) -> None:
        moved = dataset().assign_coords(z=("z", dataset()["z"].to_numpy() - 5.0, {"units": "cm"}))
        assert depth_curve(moved, "dose", code="A", frame="isocentre").frame == "isocentre"

    def test_a_coordinate_without_a_unit_is_refused(self) -> None:
        bare = dataset().assign_coords(z=[1.0, 2.0, 3.0, 4.0, 5.0])
        with pytest.raises(UnitError):
            depth_curve(bare, "dose", code="A")


class TestFiles:
    def test_a_missing_library_says_how_to_get_it(self) -> None:
        with pytest.raises(ScienceError) as refused:
            library("braggbook_no_such_library.part")
        assert str(refused.value) == (
            "the library braggbook_no_such_library is not installed; wanted the extra montecarlo\n"
            "next: python3 -m pip install 'braggbook[montecarlo]'"
        )

    def test_files_that_are_not_there_empty_or_binary(self, tmp_path: Path) -> None:
        with pytest.raises(ScienceError, match="no such file"):
            text_of(tmp_path / "none.csv")
        (tmp_path / "empty.csv").touch()
        with pytest.raises(ScienceError, match=r"empty\.csv: the file is empty"):
            text_of(tmp_path / "empty.csv")
        (tmp_path / "binary.csv").write_bytes(b"a\x00b")
        with pytest.raises(ScienceError, match=r"binary\.csv: the file is binary; wanted text"):
            text_of(tmp_path / "binary.csv")
        (tmp_path / "old.csv").write_bytes("µm".encode("latin-1"))
        assert text_of(tmp_path / "old.csv") == "µm"


@pytest.mark.full
def test_the_door_imports_nothing_that_is_not_used() -> None:
    code = "import sys, braggbook.radiobiology.io as io; io.read_topas; print([m for m in ('uproot', 'pymchelper') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_door_has_every_name_that_it_lists() -> None:
    assert all(callable(getattr(io, name)) for name in io.__all__)
    assert dir(io) == io.__all__
    with pytest.raises(AttributeError, match="no attribute 'read_penelope'"):
        _ = io.read_penelope


def test_an_axis_knows_its_size() -> None:
    assert Axis("z", np.array([0.0, 1.0, 5.0]), "cm").size == 2
