"""What an index says is there, and what it says is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.data
import pytest

from braggbook.errors import DicomError
from braggbook.imaging.dicom import Index, index_dicom
from braggbook.imaging.dicom.scan import _packed, _Reader, _unpacked, read_file, read_files
from braggbook.imaging.reading import read_dicom
from braggbook.progress import Callback
from braggbook.testing.dicom import example_grid, make_rtdose, make_series, write_dicom, write_series

GRID = example_grid(shape=(6, 4, 5), spacing_mm=(2.5, 1.0, 1.0), origin_mm=(0.0, 0.0, 0.0))
PIXELS = np.arange(120, dtype=np.int16).reshape(GRID.shape)
SHIPPED = Path(pydicom.data.__file__).parent / "test_files"


def write(folder: Path, grid: Any = GRID, **options: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_series(folder, PIXELS[: grid.shape[0]], grid, **options)
    return folder


def change(path: Path, **tags: Any) -> None:
    dataset = pydicom.dcmread(path)
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    write_dicom(dataset, path)


def warnings_of(folder: Path) -> str:
    [series] = index_dicom(folder).series
    return "; ".join(series.warnings)


def test_patients_studies_series_and_instances(tmp_path: Path) -> None:
    write(tmp_path / "a", PatientID="P1", PatientName="Äpfel^Anna", SeriesNumber="2", SeriesDescription="Thorax")
    write(tmp_path / "b", modality="MR", PatientID="P1", PatientName="Äpfel^Anna", SeriesNumber="1")
    write(tmp_path / "c", seed=7, PatientID="P2", PatientName="Zwei^Bert")
    index = index_dicom(tmp_path)
    assert [(patient.id, patient.name, len(patient.studies)) for patient in index.patients] == [
        ("P1", "Äpfel^Anna", 1),
        ("P2", "Zwei^Bert", 1),
    ]
    assert [(series.modality, series.number, len(series)) for series in index.series][:2] == [
        ("MR", 1, 6),
        ("CT", 2, 6),
    ]
    assert [len(study.series) for study in index.studies] == [2, 1]
    assert len(index) == 18
    assert not index.issues
    assert [one.tags["InstanceNumber"] for one in index.series[0]] == [1, 2, 3, 4, 5, 6]


def test_the_table_has_a_row_for_each_series(tmp_path: Path) -> None:
    write(tmp_path / "a", PatientID="P1", SeriesDescription="Thorax", StudyDate="20200229", SeriesNumber="3")
    write(tmp_path / "b", example_grid("oblique", shape=(6, 4, 5)), modality="MR", SeriesNumber=None)
    table = index_dicom(tmp_path).as_table().set_index("modality")
    ct = table.loc["CT"]
    assert ct["patient"] == "P1"
    assert (ct["study_date"], ct["number"], ct["description"], ct["count"]) == ("20200229", 3, "Thorax", 6)
    assert (ct["size"], ct["orientation"], ct["spacing_mm"]) == ("6 x 4 x 5", "axial", "2.5 x 1 x 1")
    assert ct["warnings"] == ""
    assert table.loc["MR"]["orientation"].startswith("oblique")
    assert table.loc["MR", "number"] is not None
    assert str(table["number"].dtype) == "Int64"


@pytest.mark.parametrize(
    ("kind", "name"),
    [("axial", "axial"), ("descending", "axial"), ("prone", "axial"), ("sagittal", "sagittal"), ("coronal", "coronal")],
)
def test_orientation_and_spacing_come_from_positions(tmp_path: Path, kind: str, name: str) -> None:
    grid = example_grid(kind, shape=(5, 4, 5), spacing_mm=(3.0, 1.5, 1.25))
    write(tmp_path, grid, per_slice=lambda k: {"InstanceNumber": str((7 * k) % 5), "SliceThickness": "9"})
    row = index_dicom(tmp_path).as_table().iloc[0]
    assert (row["orientation"], row["spacing_mm"], row["warnings"]) == (name, "3 x 1.5 x 1.25", "")


def test_a_dose_has_the_step_of_its_frames(tmp_path: Path) -> None:
    dose = make_rtdose(np.ones((4, 5, 6)), example_grid(shape=(4, 5, 6), spacing_mm=(2.5, 2.0, 1.0)))
    write_dicom(dose, tmp_path / "dose.dcm")
    row = index_dicom(tmp_path).as_table().iloc[0]
    assert (row["count"], row["size"], row["spacing_mm"], row["orientation"]) == (
        1,
        "4 x 5 x 6",
        "2.5 x 2 x 1",
        "axial",
    )


class TestSeveralPlaces:
    """A run's datasets are links to files elsewhere, named one by one."""

    def test_files_folders_and_zips_together(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "a")
        other = write(tmp_path / "b", modality="MR")
        with zipfile.ZipFile(tmp_path / "mr.zip", "w") as archive:
            for path in other.iterdir():
                archive.write(path, path.name)
        places = [*sorted(folder.iterdir())[:4], folder, str(tmp_path / "mr.zip")]
        index = index_dicom(places)
        assert sorted((series.modality, len(series)) for series in index.series) == [("CT", 6), ("MR", 6)]
        assert not index.issues
        assert index.where == f"6 paths from {places[0]}"

    @pytest.mark.parametrize("kind", ["list", "tuple", "generator", "mapping", "values"])
    def test_links_that_are_named_are_followed(self, tmp_path: Path, kind: str) -> None:
        links = {}
        for path in sorted(write(tmp_path / "store").iterdir()):
            links[f"image/{path.name}"] = tmp_path / "run" / path.name
            links[f"image/{path.name}"].parent.mkdir(exist_ok=True)
            links[f"image/{path.name}"].symlink_to(path)
        forms = {"list": [*links.values()], "tuple": tuple(links.values()), "mapping": links, "values": links.values()}
        given: Any = forms.get(kind, (str(link) for link in links.values()))
        np.testing.assert_array_equal(read_dicom(given)["image"], PIXELS)
        with pytest.raises(DicomError) as caught:
            index_dicom(tmp_path / "run")
        assert {issue.what for issue in caught.value.issues} == {"a link that leads out of the folder"}

    def test_a_file_that_is_named_twice_is_one_file(self, tmp_path: Path) -> None:
        [first, *_] = sorted(write(tmp_path / "a").iterdir())
        (tmp_path / "link").symlink_to(first)
        index = index_dicom([first, tmp_path / "link", str(first)])
        assert (len(index), index.issues) == (1, ())

    def test_what_is_not_dicom_is_named_and_the_rest_is_read(self, tmp_path: Path) -> None:
        write(tmp_path / "a")
        (tmp_path / "notes.txt").write_text("not an image")
        (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04" + bytes(40))
        index = index_dicom([tmp_path / "notes.txt", tmp_path / "bad.zip", tmp_path / "a"])
        assert len(index) == 6
        assert [issue.where for issue in index.issues] == [str(tmp_path / "bad.zip"), str(tmp_path / "notes.txt")]

    def test_missing_paths_are_all_named(self, tmp_path: Path) -> None:
        write(tmp_path / "a")
        with pytest.raises(DicomError, match="no such file or folder") as caught:
            index_dicom([tmp_path / "no", tmp_path / "a", tmp_path / "nor"])
        assert str(tmp_path / "no") in str(caught.value)
        assert str(tmp_path / "nor") in str(caught.value)

    @pytest.mark.parametrize("place", [None, 42, [None], {"a": 1}])
    def test_what_is_no_place_is_refused(self, place: Any) -> None:
        with pytest.raises(DicomError, match="not a place with DICOM"):
            index_dicom(place)

    @pytest.mark.parametrize("place", [[], {}, ()])
    def test_no_place_at_all_is_refused(self, place: Any) -> None:
        with pytest.raises(DicomError, match="no DICOM object here"):
            index_dicom(place)


class TestWarnings:
    """What headers alone show to be wrong with a series."""

    def test_a_gap(self, tmp_path: Path) -> None:
        write(tmp_path)
        next(path for path in tmp_path.iterdir() if pydicom.dcmread(path).InstanceNumber == 3).unlink()
        assert warnings_of(tmp_path) == "a gap of 5 mm after 2.5 mm, where steps are 2.5 mm"

    def test_uneven_steps(self, tmp_path: Path) -> None:
        write(tmp_path)
        change(sorted(tmp_path.iterdir())[3], ImagePositionPatient=[0, 0, 3 * 2.5 + 0.3])
        assert "uneven steps" in warnings_of(tmp_path)

    def test_rounding_is_even(self, tmp_path: Path) -> None:
        write(tmp_path)
        change(sorted(tmp_path.iterdir())[3], ImagePositionPatient=[0, 0, 3 * 2.5 + 0.04])
        assert warnings_of(tmp_path) == ""

    def test_positions_twice_with_what_tells_them_apart(self, tmp_path: Path) -> None:
        write(tmp_path / "a", modality="MR", per_slice=lambda k: {"EchoTime": "10"})
        for path in write(tmp_path / "b", modality="MR").iterdir():
            uid = pydicom.dcmread(path).SOPInstanceUID
            change(path, EchoTime="20", SOPInstanceUID=f"{uid}.2")
        assert warnings_of(tmp_path) == "6 images at positions of others, that differ in EchoTime"

    def test_a_localiser(self, tmp_path: Path) -> None:
        write(tmp_path)
        change(
            sorted(tmp_path.iterdir())[5],
            ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], ImageOrientationPatient=[0, 1, 0, 0, 0, -1], Rows=4,
        )  # fmt: skip
        assert warnings_of(tmp_path) == "1 localiser images among the others; 2 orientations"

    def test_mixtures(self, tmp_path: Path) -> None:
        write(tmp_path)
        first, second, *_ = sorted(tmp_path.iterdir())
        change(first, FrameOfReferenceUID="1.2.3", PixelSpacing=[2, 2])
        change(second, PatientID="other", Modality="MR")
        found = warnings_of(tmp_path)
        for part in ("2 patients", "2 modalities", "2 frames of reference", "2 pixel spacings: 1 x 1 (5), 2 x 2 (1)"):
            assert part in found

    def test_a_tilt(self, tmp_path: Path) -> None:
        write(tmp_path, example_grid("tilted", shape=(6, 4, 5)))
        assert "a tilted gantry" in warnings_of(tmp_path)

    def test_no_geometry(self, tmp_path: Path) -> None:
        write(tmp_path, ImagePositionPatient=...)
        assert warnings_of(tmp_path) == "6 without position or orientation in the patient"

    def test_damage(self, tmp_path: Path) -> None:
        write(tmp_path)
        path = sorted(tmp_path.iterdir())[2]
        path.write_bytes(path.read_bytes()[:-7])
        assert warnings_of(tmp_path) == "1 times: the pixel data end too early"
        [issue] = index_dicom(tmp_path).issues
        assert str(issue).startswith(f"{path}, (7FE0,0010) PixelData: the pixel data end too early; wanted")


class TestIssues:
    """Files that are not what they should be; the others stay usable."""

    def test_an_image_that_ends_before_its_pixels(self, tmp_path: Path) -> None:
        write(tmp_path)
        path = sorted(tmp_path.iterdir())[2]
        data = path.read_bytes()
        path.write_bytes(data[: data.index(b"\xe0\x7f\x10\0")])
        [issue] = index_dicom(tmp_path).issues
        assert str(issue) == f"{path}, (7FE0,0010) PixelData: an image without pixel data"

    def test_truncated_and_foreign_files(self, tmp_path: Path) -> None:
        write(tmp_path)
        first, second, *_ = sorted(tmp_path.iterdir())
        data = first.read_bytes()
        first.write_bytes(data[: data.index(b"\x28\0\x30\0DS") + 9])
        second.write_bytes(b"GIF89a" + bytes(500))
        index = index_dicom(tmp_path)
        assert len(index) == 4
        assert [(issue.where, issue.what) for issue in index.issues] == [
            (str(first), "the file ends inside its header"),
            (str(second), "not a DICOM file"),
        ]
        assert "(00" in index.issues[0].got

    def test_objects_without_identifiers(self, tmp_path: Path) -> None:
        write(tmp_path)
        first, second, third, *_ = sorted(tmp_path.iterdir())
        change(first, SeriesInstanceUID=None)
        change(second, StudyInstanceUID=None)
        dataset = pydicom.dcmread(third)
        del dataset.SOPInstanceUID
        del dataset.file_meta.MediaStorageSOPInstanceUID
        dataset.save_as(third, enforce_file_format=False)
        index = index_dicom(tmp_path)
        assert len(index) == 5
        assert sorted(len(series) for series in index.series) == [1, 1, 3]
        assert sorted(str(issue) for issue in index.issues) == sorted([
            f"{third}, (0008,0018) SOPInstanceUID: not usable without its identifier; wanted a UID, got none",
            f"{first}, (0020,000E) SeriesInstanceUID: without an identifier; kept on its own; wanted a UID, got none",
            f"{second}, (0020,000D) StudyInstanceUID: without an identifier; kept on its own; wanted a UID, got none",
        ])  # fmt: skip

    def test_copies_and_identifiers_used_again(self, tmp_path: Path) -> None:
        write(tmp_path)
        first, second, third, *_ = sorted(tmp_path.iterdir())
        (tmp_path / "z_copy").write_bytes(first.read_bytes())
        change(third, SOPInstanceUID=pydicom.dcmread(second).SOPInstanceUID)
        index = index_dicom(tmp_path)
        assert len(index) == 7
        assert sorted((Path(issue.where.split(",")[0]).name, issue.what) for issue in index.issues) == sorted([
            ("z_copy", "the same object again"),
            (third.name, "the same identifier as another object, with other content"),
        ])  # fmt: skip
        assert all("(0008,0018) SOPInstanceUID" in issue.where for issue in index.issues)

    def test_a_pixel_more_or_less_is_other_content(self, tmp_path: Path) -> None:
        write(tmp_path)
        data = bytearray(min(tmp_path.iterdir()).read_bytes())
        data[-1] ^= 1
        (tmp_path / "z_copy").write_bytes(data)
        assert [issue.what for issue in index_dicom(tmp_path).issues] == [
            "the same identifier as another object, with other content"
        ]

    def test_identifiers_of_series_and_studies_used_again(self, tmp_path: Path) -> None:
        write(tmp_path / "a")
        write(tmp_path / "b", seed=2)
        uid = index_dicom(tmp_path / "a").series[0]
        for path in (tmp_path / "b").iterdir():
            change(path, SeriesInstanceUID=uid.uid)
        write(tmp_path / "c", modality="MR", PatientID="another")
        issues = index_dicom(tmp_path).issues
        assert [issue.what for issue in issues] == [
            "one series in more than one study",
            "one study of more than one patient",
        ]
        assert "(0020,000E) SeriesInstanceUID" in issues[0].where
        assert "(0020,000D) StudyInstanceUID" in issues[1].where
        assert len(index_dicom(tmp_path).series) == 3

    def test_a_patient_with_two_names(self, tmp_path: Path) -> None:
        write(tmp_path / "a", PatientName="Apfel^Anna")
        write(tmp_path / "b", modality="MR", PatientName="APFEL^ANNA^^")
        assert not index_dicom(tmp_path).issues
        write(tmp_path / "c", modality="PET", PatientName="Birne^Bea")
        [issue] = index_dicom(tmp_path).issues
        assert issue.what == "one patient with more than one name"
        assert "(0010,0020) PatientID" in issue.where

    def test_a_value_that_cannot_be_read(self, tmp_path: Path) -> None:
        write(tmp_path)
        path = min(tmp_path.iterdir())
        data = path.read_bytes()
        at = data.index(b"\x28\0\x30\0DS") + 8
        path.write_bytes(data[:at] + b"x" + data[at + 1 :])
        [issue] = index_dicom(tmp_path).issues
        assert str(issue).startswith(f"{path}, (0028,0030) PixelSpacing: the value cannot be read; wanted VR DS, got")


def test_series_are_found_by_what_people_know_of_them(tmp_path: Path) -> None:
    write(tmp_path / "a", SeriesDescription="Thorax")
    write(tmp_path / "b", modality="MR")
    index = index_dicom(tmp_path)
    ct = next(series for series in index.series if series.modality == "CT")
    for name in (ct.uid, ct.uid[-9:], ct.uid[:-1], "CT", "Thorax"):
        assert index.find(name) is ct
    with pytest.raises(DicomError, match=r"no series 'PT'[\s\S]*CT Thorax"):
        index.find("PT")
    with pytest.raises(DicomError, match=r"2 series '2\.25'"):
        index.find("2.25")


def test_real_files_of_every_kind_are_listed() -> None:
    index = index_dicom(SHIPPED)
    assert {"CT", "MR", "US", "RTDOSE", "RTPLAN", "RTSTRUCT", "SEG", "SR", "ECG"} <= {one.modality for one in index}
    assert len(index.as_table()) == len(index.series)


def test_names_in_many_character_sets() -> None:
    index = index_dicom(SHIPPED.parent / "charset_files")
    names = {Path(str(one.source)).stem: one.tags.get("PatientName") for one in index}
    assert names["chrGerm"] == "Äneas^Rüdiger"
    assert names["chrH31"] == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert names["chrRuss"] == "Люкceмбypг"
    assert names["chrKoreanMulti"] == "김희중"


def test_progress_counts_files(tmp_path: Path) -> None:
    write(tmp_path)
    told = []
    index_dicom(tmp_path, progress=Callback(lambda *step: told.append(step)))
    assert told == [("reading headers", 0, 6, ""), ("reading headers", 6, 6, "")]


def test_what_crosses_between_processes_is_the_same() -> None:
    paths = [str(path) for path in sorted(SHIPPED.iterdir()) if path.is_file()]
    found = [read_file(path) for path in paths]
    assert _unpacked(_packed(found)) == found


def same(index: Index, other: Index) -> bool:
    def listed(one: Index) -> Any:
        return [(str(i.source), i.sop_instance_uid, i.tags, i.pixel_offset, i.issues) for i in one], one.issues

    return bool(listed(index) == listed(other))


@pytest.mark.full
def test_processes_find_what_one_finds() -> None:
    assert same(index_dicom(SHIPPED, workers=3), index_dicom(SHIPPED, workers=1))


@pytest.mark.full
def test_a_script_without_a_main_guard_may_use_processes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"from braggbook.imaging.dicom import index_dicom\nprint(len(index_dicom({str(SHIPPED)!r}, workers=2)))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    assert int(done.stdout) == len(index_dicom(SHIPPED, workers=1))


@pytest.mark.full
def test_a_reader_that_is_killed_loses_nothing() -> None:
    paths = [str(path) for path in sorted(SHIPPED.iterdir()) if path.is_file()][:20]
    reader = _Reader()
    try:
        assert reader.read(paths) == [read_file(path) for path in paths]
        reader._process.kill()
        reader._process.wait()
        assert reader.read(paths) == [read_file(path) for path in paths]
    finally:
        reader.close()


@pytest.mark.full
def test_readers_end_with_the_index() -> None:
    before = children()
    paths = [str(path) for path in sorted(SHIPPED.iterdir()) if path.is_file()]
    half = read_files(paths, workers=2)
    next(half)
    assert len(children()) == len(before) + 2
    half.close()
    assert children() == before


def children() -> list[str]:
    import psutil

    return [str(child.pid) for child in psutil.Process(os.getpid()).children()]


@pytest.mark.full
def test_an_index_takes_little_memory(tmp_path: Path) -> None:
    """Ten gigabytes on paper: a sparse file whose header is read and whose pixels are not."""
    write(tmp_path)
    path = min(tmp_path.iterdir())
    with path.open("r+b") as file:
        file.truncate(10 << 30)
    code = (
        "import resource, sys\n"
        "from braggbook.imaging.dicom import index_dicom\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "print(len(index_dicom(sys.argv[1], workers=1)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("6", "")


def test_objects_of_a_series_know_their_pixels(tmp_path: Path) -> None:
    for one in index_dicom(write(tmp_path)):
        with one.source.open() as stream:
            data = stream.read()
        assert one.pixel_offset is not None
        stored = np.frombuffer(data[one.pixel_offset :][: one.pixel_bytes], "<i2").reshape(4, 5)
        assert (stored == pydicom.dcmread(str(one.source)).pixel_array).all()


def test_make_series_matches_its_index(tmp_path: Path) -> None:
    made = make_series(PIXELS, GRID)
    write(tmp_path)
    assert {one.sop_instance_uid for one in index_dicom(tmp_path)} == {str(one.SOPInstanceUID) for one in made}
