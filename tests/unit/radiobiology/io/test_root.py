"""ROOT files of Scikit-HEP (BSD 3-clause): histograms, trees, nested folders, RNTuple, and files that break off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import uproot

from braggbook.errors import ScienceError, UnitError, UnknownName
from braggbook.radiobiology.io import (
    Scoring,
    depth_curve,
    read_root_histogram,
    read_root_tree,
    root_contents,
)

DOSE = Scoring("dose", "Gy", "not applicable", "all", "water", "phantom surface", "total")
SAID = {"averaging": "not applicable", "particles": "all", "medium": "water", "frame": "phantom"}


@pytest.fixture
def files(mirror: Path) -> Path:
    return mirror / "root_samples"


def written(folder: Path, **objects: object) -> Path:
    path = folder / "made.root"
    with uproot.recreate(path) as file:
        for name, value in objects.items():
            file[name.replace("__", "/")] = value
    return path


class TestHistograms:
    def test_a_histogram(self, files: Path) -> None:
        found = read_root_histogram(files / "uproot-histograms.root", "one", axes=[("z", "mm")], scoring=DOSE)
        assert found["dose"].to_numpy()[:3] == pytest.approx([68, 285, 755])
        assert found["dose_uncertainty"].to_numpy()[:3] == pytest.approx(np.sqrt([68, 285, 755]))
        assert found["z_edges"].to_numpy() == pytest.approx(np.linspace(-3, 3, 11))
        assert found["dose"].attrs["underflow"] == 0.0
        assert found["dose"].attrs["normalisation"] == "total"
        assert (found.attrs["title"], found.attrs["frame"]) == ("numero uno", "phantom surface")
        assert depth_curve(found, "dose", code="GATE").depth_mm[0] == pytest.approx(-2.7)

    def test_weights_two_dimensions_and_what_fell_outside(self, tmp_path: Path) -> None:
        x, y, w = np.array([0.5, 1.5, 1.5, 9.0]), np.array([0.5, 0.5, 1.5, 0.5]), np.array([1.0, 2.0, 3.0, 4.0])
        content = np.histogram2d(x, y, bins=[[0, 1, 2], [0, 1, 2]], weights=w)
        path = written(tmp_path, run__map=content)
        found = read_root_histogram(path, "run/map", axes=[("x", "mm"), ("z", "cm")], scoring=DOSE)
        assert found["dose"].to_numpy() == pytest.approx(np.array([[1.0, 0.0], [2.0, 3.0]]))
        assert found["dose"].dims == ("x", "z")
        assert found["z"].attrs["units"] == "cm"
        assert found["dose"].attrs["outside"] == 0.0

    def test_axes_must_be_named_and_have_units(self, files: Path) -> None:
        path = files / "uproot-histograms.root"
        with pytest.raises(ScienceError, match="one: not one axis per dimension; wanted 1 pairs, got 2"):
            read_root_histogram(path, "one", axes=[("x", "mm"), ("y", "mm")], scoring=DOSE)
        with pytest.raises(UnitError, match="unknown unit"):
            read_root_histogram(path, "one", axes=[("z", "furlong")], scoring=DOSE)
        with pytest.raises(UnknownName, match="no object in the ROOT file named 'onne'; did you mean one"):
            read_root_histogram(path, "onne", axes=[("z", "mm")], scoring=DOSE)

    def test_a_tree_is_no_histogram_and_a_folder_neither(self, files: Path) -> None:
        with pytest.raises(ScienceError, match="tree: not a histogram; wanted TH1, TH2, TH3, TProfile, got TTree"):
            read_root_histogram(files / "uproot-simple.root", "tree", axes=[("z", "mm")], scoring=DOSE)
        with pytest.raises(ScienceError, match="one: a folder, not an object"):
            read_root_histogram(files / "uproot-nesteddirs.root", "one", axes=[("z", "mm")], scoring=DOSE)
        with pytest.raises(ScienceError, match="one: not a tree; wanted a TTree or an RNTuple, got TH1F"):
            read_root_tree(files / "uproot-histograms.root", "one", units={"x": "mm"}, **SAID)


class TestTrees:
    def test_a_flat_tree(self, files: Path) -> None:
        units = {"one": "1", "two": "MeV", "three": "1"}
        found = read_root_tree(files / "uproot-simple.root", "tree", units=units, **SAID)
        assert found["one"].to_numpy().tolist() == [1, 2, 3, 4]
        assert found["two"].to_numpy() == pytest.approx([1.1, 2.2, 3.3, 4.4])
        assert found["three"].to_numpy().tolist() == ["uno", "dos", "tres", "quatro"]
        assert found["two"].attrs == {"units": "MeV"}
        assert found["one"].dtype.isnative
        assert found.attrs["particles"] == "all"

    def test_nothing_is_guessed(self, files: Path) -> None:
        with pytest.raises(ScienceError) as refused:
            read_root_tree(files / "uproot-simple.root", "tree", units={"one": "1"})
        assert [issue.where for issue in refused.value.issues] == ["averaging", "particles", "medium", "frame"]

    def test_folders_arrays_and_ragged_columns(self, files: Path) -> None:
        path, units = files / "uproot-nesteddirs.root", {"ArrayFloat64": "mm", "SliceInt32": "1", "Str": "1"}
        with pytest.raises(ScienceError) as refused:
            read_root_tree(path, "one/two/tree", units=units, **SAID)
        assert (
            str(refused.value.issues[0]) == 'SliceInt32: another number of values for each entry; wanted ragged="flat"'
        )
        found = read_root_tree(path, "one/two/tree", units=units, ragged="flat", **SAID)
        assert found["ArrayFloat64"].dims == ("entry", "ArrayFloat64_index")
        assert int(found["SliceInt32_count"].sum()) == len(found["SliceInt32"]) == 450
        start = int(found["SliceInt32_count"][:7].sum())
        assert found["SliceInt32"].to_numpy()[start : start + 7].tolist() == [7] * 7
        assert found["Str"].to_numpy()[3] == "evt-003"

    def test_an_rntuple(self, files: Path) -> None:
        path = files / "ntpl001_staff_rntuple_v1-0-1-0.root"
        found = read_root_tree(path, "Staff", units={"Cost": "1", "Nation": "1", "Age": "1"}, **SAID)
        assert found.sizes["entry"] == 3354
        assert found["Cost"].to_numpy()[:3].tolist() == [11975, 10228, 10730]
        assert found["Nation"].to_numpy()[1] == "CH"
        assert found.attrs["class"] == "ROOT::RNTuple"

    def test_a_split_event_tree(self, files: Path) -> None:
        units = {"P3.Px": "1", "ArrayF64[10]": "1", "StdStr": "1", "evt/U32": "1"}
        found = read_root_tree(files / "uproot-small-evnt-tree-fullsplit.root", "tree", units=units, **SAID)
        assert found["P3.Px"].to_numpy()[:4].tolist() == [-1, 0, 1, 2]
        assert found["U32"].to_numpy()[:3].tolist() == [0, 1, 2]

    def test_maps_are_no_table(self, files: Path) -> None:
        units = {"string": "1", "vector_int32": "1", "map_int32_int16": "1", "vector_vector_int32": "1"}
        with pytest.raises(ScienceError) as refused:
            read_root_tree(files / "uproot-stl_containers.root", "tree", units=units, ragged="flat", **SAID)
        assert [issue.where for issue in refused.value.issues] == ["map_int32_int16", "vector_vector_int32"]
        assert {issue.what for issue in refused.value.issues} == {"neither numbers nor texts"}

    def test_columns_and_units(self, files: Path) -> None:
        path = files / "uproot-simple.root"
        with pytest.raises(UnknownName, match="no column named 'four'; wanted one of one, three, two"):
            read_root_tree(path, "tree", units={"four": "1"}, **SAID)
        with pytest.raises(UnitError):
            read_root_tree(path, "tree", units={"one": "furlong"}, **SAID)
        with pytest.raises(ScienceError, match="no column to read"):
            read_root_tree(path, "tree", units={}, **SAID)
        with pytest.raises(UnknownName, match="no way with ragged columns named 'pad'"):
            read_root_tree(path, "tree", units={"one": "1"}, ragged="pad", **SAID)  # type: ignore[arg-type]

    def test_an_empty_tree(self, tmp_path: Path) -> None:
        path = written(tmp_path, empty={"x": np.array([], dtype=np.float64)})
        assert read_root_tree(path, "empty", units={"x": "mm"}, **SAID).sizes["entry"] == 0


class TestFiles:
    def test_contents(self, files: Path) -> None:
        found = root_contents(files / "uproot-nesteddirs.root").set_index("name")["class"]
        assert found["one/two/tree"] == "TTree"
        assert found["three"] == "TDirectory"
        assert root_contents(files / "uproot-histograms.root")["name"].tolist() == ["one", "two", "three"]

    @pytest.mark.parametrize("part", [0.005, 0.05, 0.5, 0.98])
    @pytest.mark.parametrize("name", ["uproot-histograms.root", "uproot-nesteddirs.root"])
    def test_a_file_that_breaks_off_is_refused(self, files: Path, tmp_path: Path, name: str, part: float) -> None:
        data = (files / name).read_bytes()
        cut = tmp_path / "cut.root"
        cut.write_bytes(data[: int(part * len(data))])
        with pytest.raises(ScienceError, match=r"cut\.root"):
            root_contents(cut)

    @pytest.mark.parametrize("missing", [1, 100, 4000])
    def test_a_file_shorter_than_it_says_is_refused(self, files: Path, tmp_path: Path, missing: int) -> None:
        """Its names and some columns could still be read; uproot does."""
        data = (files / "uproot-simple.root").read_bytes()
        cut = tmp_path / "cut.root"
        cut.write_bytes(data[:-missing])
        with pytest.raises(
            ScienceError, match=r"cut\.root: the ROOT file is cut off; wanted 5614 bytes, as it says, got"
        ):
            root_contents(cut)

    def test_damage_inside(self, files: Path, tmp_path: Path) -> None:
        data = bytearray((files / "uproot-simple.root").read_bytes())
        data[200:2500] = b"\x55" * 2300
        bad = tmp_path / "bad.root"
        bad.write_bytes(bytes(data))
        with pytest.raises(ScienceError):
            read_root_tree(bad, "tree", units={"one": "1", "two": "1", "three": "1"}, **SAID)

    def test_other_files(self, tmp_path: Path) -> None:
        (tmp_path / "a.root").write_text("not root", encoding="utf-8")
        with pytest.raises(ScienceError, match=r"a\.root: not a ROOT file; wanted a file that begins with 'root'"):
            root_contents(tmp_path / "a.root")
        (tmp_path / "b.root").touch()
        with pytest.raises(ScienceError, match=r"b\.root: the file is empty"):
            root_contents(tmp_path / "b.root")
        with pytest.raises(ScienceError, match="no such file"):
            root_contents(tmp_path / "c.root")
