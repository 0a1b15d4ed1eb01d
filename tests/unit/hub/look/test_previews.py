"""What a glance at a file shows, and what it says where there is nothing to be seen."""

from __future__ import annotations

import io
import re
import struct
import threading
import zipfile
import zlib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import openpyxl
import pytest
from pydicom.data import get_testdata_file

from braggbook.datasets.catalogue import open_dataset
from braggbook.datasets.sources import cache_path
from braggbook.errors import UnknownName
from braggbook.hub.look.png import png_of
from braggbook.hub.look.previews import preview, preview_names
from braggbook.hub.look.shown import Preview
from braggbook.imaging.geometry import Grid
from braggbook.imaging.phantoms import Ellipsoid
from braggbook.imaging.store.nifti import write_nifti
from braggbook.imaging.store.ome import write_ome
from braggbook.imaging.store.zarr_store import write_volume
from braggbook.imaging.volumes import make_volume
from braggbook.settings import Settings

from .look_helpers import AXIAL, COLUMNS, ROWS, SAGITTAL, describe, entry, list_files, make_dataset, settings_of, sides

PIXEL = png_of(np.zeros((2, 3), dtype=np.uint8))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


def look(settings: Settings, path: str, data: bytes, **card: object) -> Preview:
    """Looks at the one file of a new dataset."""
    folder = make_dataset(settings, {path: data}, **card)
    return preview(open_dataset(folder), path, cache=settings.cache)


def pixels_of(png: bytes) -> np.ndarray:
    """Reads a picture of ours again, by the standard."""
    columns, rows, _, kind = struct.unpack(">IIBB", png[16:26])
    length = struct.unpack(">I", png[33:37])[0]
    flat = np.frombuffer(zlib.decompress(png[41 : 41 + length]), dtype=np.uint8).reshape(rows, -1)
    assert (flat[:, 0] == 2).all()
    values = np.cumsum(flat[:, 1:].astype(np.int64), axis=0) % 256
    return values.reshape(rows, columns, 3) if kind == 2 else values


def workbook(rows: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def with_sheet(data: bytes, sheet: bytes) -> bytes:
    """Puts another sheet into a workbook."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, sheet if name == "xl/worksheets/sheet1.xml" else old.read(name))
    return changed.getvalue()


def test_table(settings: Settings) -> None:
    seen = look(settings, "counts.csv", ROWS, columns=COLUMNS)
    assert seen.kind == "table"
    assert seen.table is not None
    assert [column.title for column in seen.table.columns] == ["dose_gy (Gy)", "cells", "note"]
    assert [column.numeric for column in seen.table.columns] == [True, True, False]
    assert seen.table.cells == (
        ("0", "200", "–"),
        ("2", "400", "<b>bold</b>"),
        ("4.5", "–", "late"),
        ("6", "1200", "–"),
    )
    assert (seen.table.rows, seen.table.whole) == (4, True)
    assert seen.plot is not None
    assert (seen.plot.x, seen.plot.y, seen.plot.points) == ("dose_gy (Gy)", "cells", 3)


@pytest.mark.parametrize("kind", ["tsv", "xlsx"])
def test_other_tables(settings: Settings, kind: str) -> None:
    rows = [line.split(",") for line in ROWS.decode().splitlines()]
    typed = [rows[0], *([float(a), int(b) if b else None, c or None] for a, b, c in rows[1:])]
    data = workbook(typed) if kind == "xlsx" else ROWS.replace(b",", b"\t")
    seen = look(settings, f"counts.{kind}", data, columns=COLUMNS)
    assert seen.table is not None
    assert seen.table.cells[2] == ("4.5", "–", "late")
    assert seen.plot is not None


def test_long_table(settings: Settings) -> None:
    data = ROWS[:19] + b"".join(b"%d,%d,%s\n" % (n, n * n, b"x" * 20) for n in range(50_000))
    seen = look(settings, "counts.csv", data, columns=COLUMNS)
    assert seen.table is not None
    assert len(seen.table.cells) == 20
    assert not seen.table.whole
    assert 5_000 < seen.table.rows < 10_000
    assert seen.says.startswith(f"The first 20 of the first {seen.table.rows:,} rows")
    assert seen.plot is not None
    assert len(seen.plot.svg) < 50_000
    seen = look(settings, "counts.csv", b"dose_gy," + b"x" * 400_000, columns=COLUMNS)
    assert seen.says == "Its first row is longer than 262,144 bytes."


def test_a_table_that_is_not_what_the_card_says(settings: Settings) -> None:
    seen = look(settings, "counts.csv", ROWS.replace(b"4.5", b"four"), columns=COLUMNS)
    assert seen.table is not None
    assert seen.plot is None
    assert "1 places are not what the card says, the first: counts.csv: row 4, column dose_gy" in seen.says


def test_undescribed_table(settings: Settings) -> None:
    seen = look(settings, "counts.csv", ROWS)
    assert seen.table is not None
    assert seen.table.cells[1] == ("2", "400", "<b>bold</b>")
    assert seen.says == "All of 4 rows; the card does not describe the columns."


def test_the_drawing_is_safe_and_told(settings: Settings) -> None:
    evil = {
        "x": COLUMNS["dose_gy"].model_copy(update={"header": "</title><script>alert(1)</script>"}),
        "y": COLUMNS["cells"].model_copy(update={"header": '" onload="alert(2)'}),
    }
    data = b'</title><script>alert(1)</script>,""" onload=""alert(2)"\n1,2\n3,4\n'
    seen = look(settings, "a & b.csv", data, columns=evil)
    assert seen.plot is not None
    assert "<script" not in seen.plot.svg
    assert " style=" not in seen.plot.svg
    root = ElementTree.fromstring(seen.plot.svg)
    assert root.attrib["role"] == "img"
    title, about = (next(root.iter(name)) for name in ("title", "desc"))
    assert root.attrib["aria-labelledby"].split() == [title.attrib["id"], about.attrib["id"]]
    assert title.text == '" onload="alert(2) against </title><script>alert(1)</script> (Gy)'
    assert about.text is not None
    assert about.text.startswith("2 points: 2 rows of a & b.csv.")
    assert not [name for one in root.iter() for name in one.attrib if name.startswith("on")]


@pytest.mark.parametrize(
    "cells", ["1,1\n1,2\n", "1,2\n", "nan,1\n2,3\n", "1e300,1\n-1e300,2\n", "1e15,1\n1000000000000000.1,2\n", "0,1\n5e-324,2\n"]
)  # fmt: skip
def test_no_drawing_of_what_no_axis_holds(settings: Settings, cells: str) -> None:
    columns = dict.fromkeys(("a", "b"), COLUMNS["dose_gy"])
    seen = look(settings, "t.csv", f"a,b\n{cells}".encode(), columns=columns)
    assert seen.kind == "table"
    assert seen.plot is None


def test_axes_hold_every_point(settings: Settings) -> None:
    columns = dict.fromkeys(("a", "b"), COLUMNS["dose_gy"])
    for cells in ("-3,1e-9\n7,5e-9\n", "1e20,0.001\n3e20,0.0012\n", "99,-1\n101,1\n"):
        seen = look(settings, "t.csv", f"a,b\n{cells}".encode(), columns=columns)
        assert seen.plot is not None
        root = ElementTree.fromstring(seen.plot.svg)
        dots = next(one for one in root.iter("path") if one.attrib["class"] == "plot-dots").attrib["d"]
        places = [(float(a), float(b)) for a, b in re.findall(r"M([\d.]+) ([\d.]+)h0", dots)]
        assert len(places) == 2
        assert all(78 <= x <= 626 and 14 <= y <= 308 for x, y in places)
        labels = [one.text for one in root.iter("text") if one.attrib["class"] == "plot-tick"]
        assert all(label and len(label) <= 10 for label in labels)


def test_workbooks_that_unpack_to_too_much(settings: Settings) -> None:
    good = workbook([["dose_gy", "cells", "note"], [1, 2, "x"]])
    bomb = with_sheet(good, b"<worksheet>" + b" " * (20 << 20))
    assert "bytes unpacked" in look(settings, "t.xlsx", bomb, columns=COLUMNS).says
    cells = b'<c r="XFD1"><v>1</v></c></row><row r="1048576"><c r="A1048576"><v>1</v></c>'
    sheet = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">%s</row></sheetData></worksheet>'
    sparse = with_sheet(good, sheet % cells)
    assert look(settings, "t.xlsx", sparse, columns=COLUMNS).says.startswith("A sheet of more than 30,000 cells")
    assert look(settings, "t.xlsx", good[:-30], columns=COLUMNS).says.startswith("No preview: not a workbook")
    assert look(settings, "t.xlsx", b"", columns=COLUMNS).kind == "nothing"


@pytest.mark.parametrize("grid", [AXIAL, SAGITTAL], ids=["axial", "sagittal"])
def test_slices_are_turned_as_radiologists_look(settings: Settings, tmp_path: Path, grid: Grid) -> None:
    write_nifti(sides(grid), tmp_path / "a.nii.gz", sidecar=False)
    seen = look(settings, "a.nii.gz", (tmp_path / "a.nii.gz").read_bytes())
    assert seen.kind == "volume"
    axial, coronal, sagittal = seen.pictures
    assert [one.title.split(",")[0] for one in seen.pictures] == ["axial", "coronal", "sagittal"]
    assert [one.edges for one in seen.pictures] == [
        ("A", "L", "P", "R"), ("H", "L", "F", "R"), ("H", "P", "F", "A")
    ]  # fmt: skip
    lit = [pixels_of(one.data) for one in seen.pictures]
    assert lit[0].shape == (axial.height, axial.width)
    assert lit[0][:, -1].min() > lit[0][:, 0].max()  # the patient's left is at the right
    assert lit[1][:, -1].min() > lit[1][:, 0].max()
    assert lit[0][-1].mean() > lit[0][0].mean()  # the back is below
    assert lit[2][:, -1].mean() > lit[2][:, 0].mean()  # and at the right
    assert lit[1][-1].mean() > lit[1][0].mean()  # the feet are below
    assert lit[2][-1].mean() > lit[2][0].mean()
    assert axial.width / axial.height == pytest.approx(20 / 8, rel=0.01)  # in mm, not in voxels
    assert coronal.height / coronal.width == pytest.approx(36 / 20, rel=0.01)
    assert sagittal.height / sagittal.width == pytest.approx(36 / 8, rel=0.02)
    assert "L is" not in sagittal.alt
    assert "A is at the top, L at the right, P at the bottom, R at the left" in axial.alt


def test_oblique_slices_have_no_letters(settings: Settings, tmp_path: Path) -> None:
    half = 0.5**0.5
    turned = Grid.from_axes(
        (4, 6, 5), spacing_mm=(1.0, 1.0, 1.0), directions=((half, 0.5, 0.5), (-half, 0.5, 0.5), (0, -half, half))
    )
    values = np.arange(120, dtype=np.float32).reshape(4, 6, 5)
    write_nifti(make_volume(values, turned, name="a", units="1"), tmp_path / "a.nii", sidecar=False)
    seen = look(settings, "a.nii", (tmp_path / "a.nii").read_bytes())
    assert turned.letters()[1:] == ("R", "L")  # two axes nearest to one direction of the patient
    assert [one.title for one in seen.pictures] == [
        "slices along z, 3 of 4",
        "slices along y, 4 of 6",
        "slices along x, 3 of 5",
    ]
    assert all(one.edges == ("", "", "", "") and "at the top" not in one.alt for one in seen.pictures)


def test_dicom(settings: Settings) -> None:
    data = Path(get_testdata_file("CT_small.dcm", download=False)).read_bytes()
    seen = look(settings, "ct.dcm", data)
    (picture,) = seen.pictures
    assert (picture.title, picture.edges) == ("axial, 1 of 1", ("A", "L", "P", "R"))
    assert "128 x 128 x 1 voxels" in seen.says
    assert "HU" in seen.says


def test_window(settings: Settings, tmp_path: Path) -> None:
    values = np.zeros((12, 8, 10), dtype=np.float32)
    values[:, :, 5:] = 40.0
    values[0] = np.nan
    write_nifti(make_volume(values, AXIAL, name="a", units="1"), tmp_path / "a.nii", sidecar=False)
    seen = look(settings, "a.nii", (tmp_path / "a.nii").read_bytes())
    assert "Black is 0, white 40." in seen.says
    assert "10 x 8 x 12 voxels of 2 x 1 x 3 mm" in seen.says
    assert set(np.unique(pixels_of(seen.pictures[0].data))) == {0, 255}
    write_nifti(make_volume(values * np.nan, AXIAL, name="a", units="1"), tmp_path / "n.nii", sidecar=False)
    assert (
        "no voxel of the middle slices has a number" in look(settings, "n.nii", (tmp_path / "n.nii").read_bytes()).says
    )
    write_nifti(make_volume(np.full_like(values, 3), AXIAL, name="a", units="1"), tmp_path / "c.nii", sidecar=False)
    assert "Every voxel is 3." in look(settings, "c.nii", (tmp_path / "c.nii").read_bytes()).says


def test_masks(settings: Settings, tmp_path: Path) -> None:
    grid = Grid.from_axes((30, 40, 40), spacing_mm=(2.0, 1.0, 1.0), origin_mm=(-20.0, -20.0, -30.0))
    liver = Ellipsoid(centre_mm=(8.0, 4.0, 10.0), half_axes_mm=(5.0, 4.0, 6.0)).mask(grid)
    cord = Ellipsoid(centre_mm=(8.0, -8.0, 10.0), half_axes_mm=(1.5, 1.5, 5.0)).mask(grid)
    labels = liver.copy(data=liver.values + 2 * cord.values)
    write_nifti(labels, tmp_path / "m.nii.gz", sidecar=False)
    seen = look(settings, "m.nii.gz", (tmp_path / "m.nii.gz").read_bytes())
    assert seen.kind == "labels"
    assert [(one.value, one.voxels) for one in seen.labels] == [(1, int(liver.sum())), (2, int(cord.sum()))]
    shown = {tuple(colour) for colour in pixels_of(seen.pictures[0].data).reshape(-1, 3)}
    known = {tuple(bytes.fromhex(one.colour[1:])) for one in seen.labels}
    assert shown == {(0, 0, 0), *known}  # off the middle, and still in the picture
    write_nifti(liver.copy(data=liver.values * 0), tmp_path / "e.nii", sidecar=False)
    empty = look(settings, "e.nii", (tmp_path / "e.nii").read_bytes())
    assert empty.says.endswith("Nothing is marked.")
    assert empty.labels == ()


def test_times_channels_and_colours(settings: Settings, tmp_path: Path) -> None:
    values = np.zeros((3, 12, 8, 10), dtype=np.uint8)
    values[0] = 200
    colours = make_volume(values, AXIAL, name="a", units="1", coords={"c": ["red", "green", "blue"]})
    write_nifti(colours, tmp_path / "rgb.nii", sidecar=False)
    seen = look(settings, "rgb.nii", (tmp_path / "rgb.nii").read_bytes())
    assert "in colour" in seen.says
    assert {tuple(colour) for colour in pixels_of(seen.pictures[0].data).reshape(-1, 3)} == {(200, 0, 0)}
    several = make_volume(values.astype(np.float32), AXIAL, name="a", units="1")
    write_nifti(several, tmp_path / "t.nii", sidecar=False)
    assert "The first of 3 times." in look(settings, "t.nii", (tmp_path / "t.nii").read_bytes()).says


@pytest.mark.parametrize("write", [write_ome, write_volume])
def test_stores(settings: Settings, write: object) -> None:
    folder = settings.project / "datasets" / "counts"
    folder.mkdir(parents=True)
    write(sides(AXIAL), folder / "image.ome.zarr")  # type: ignore[operator]
    describe(folder, list_files(folder, "image.ome.zarr"))
    dataset = open_dataset(folder)
    assert preview_names(dataset, cache=settings.cache) == ["image.ome.zarr"]
    seen = preview(dataset, "image.ome.zarr", cache=settings.cache)
    assert [one.edges for one in seen.pictures] == [("A", "L", "P", "R"), ("H", "L", "F", "R"), ("H", "P", "F", "A")]
    (folder / "image.ome.zarr" / "extra").write_text("x")
    names = [path for path in (folder / "image.ome.zarr").rglob("*") if path.is_file() and path.name != "extra"]
    names[0].touch()
    seen = preview(dataset, "image.ome.zarr", cache=settings.cache)
    assert seen.says == "No preview: the card does not list extra, which lies in the store."
    (folder / "image.ome.zarr" / "extra").unlink()
    largest = max(names, key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1] + b"!")
    assert "not the one that the card names" in preview(dataset, "image.ome.zarr", cache=settings.cache).says
    largest.unlink()
    assert "a part of it is not here" in preview(dataset, "image.ome.zarr", cache=settings.cache).says


def test_damaged_volumes(settings: Settings, tmp_path: Path) -> None:
    write_nifti(sides(AXIAL), tmp_path / "a.nii", sidecar=False)
    write_nifti(sides(AXIAL), tmp_path / "a.nii.gz", sidecar=False)
    plain, packed = (tmp_path / "a.nii").read_bytes(), (tmp_path / "a.nii.gz").read_bytes()
    odd = bytearray(plain)
    odd[252:256] = bytes(4)  # neither qform nor sform
    huge = bytearray(plain)
    huge[40:48] = struct.pack("<4h", 3, 30_000, 30_000, 30_000)
    for number, (name, data) in enumerate(
        [("a.nii", plain[:-9]), ("a.nii.gz", packed[:-9]), ("a.nii", b""), ("a.nii.gz", b"\x1f\x8b"), ("a.nii", b"\0" * 600),
         ("a.nii", bytes(odd)), ("a.nii", bytes(huge)), ("a.dcm", b"\0" * 600), ("a.dcm", b"")]
    ):  # fmt: skip
        seen = look(settings, name, data, slug=f"damaged{number}")
        assert seen.kind == "nothing"
        assert seen.says.startswith("No preview: ")
        assert str(tmp_path) not in seen.says


def test_volumes_that_would_fill_the_memory(settings: Settings, tmp_path: Path) -> None:
    write_nifti(sides(AXIAL), tmp_path / "a.nii.gz", sidecar=False)
    header = bytearray(zlib.decompress((tmp_path / "a.nii.gz").read_bytes(), 31))[:352]
    header[40:48] = struct.pack("<4h", 3, 512, 512, 170)
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    data = packer.compress(bytes(header)) + packer.compress(bytes(4 * 512 * 512 * 170)) + packer.flush()
    seen = look(settings, "a.nii.gz", data)
    assert len(data) < 1 << 20
    assert seen.says == "An image of 178,257,920 bytes of voxels; those up to 167,772,160 are shown here."


def test_pictures(settings: Settings) -> None:
    seen = look(settings, "a.png", PIXEL)
    (picture,) = seen.pictures
    assert (picture.data, picture.type, picture.width, picture.height) == (PIXEL, "image/png", 3, 2)
    assert picture.address.startswith("data:image/png;base64,iVBORw0KGgo")
    gif = b"GIF89a\x04\x00\x05\x00\x00\x00\x00;"
    jpeg = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08\x00\x06\x00\x07\x01\x01\x11\x00\xff\xd9"
    sizes = [(one.width, one.height) for name, data in (("a.gif", gif), ("a.JPG", jpeg))
             for one in look(settings, name, data, slug=name[2:].lower()).pictures]  # fmt: skip
    assert sizes == [(4, 5), (7, 6)]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", PIXEL[:-4]), ("a.png", PIXEL[:42] + b"?" + PIXEL[43:]), ("a.png", b"<svg onload='alert(1)'/>"), ("a.png", b""), ("a.jpg", PIXEL),
        ("a.jpg", b"\xff\xd8\xff\xe0\x00\x10" + b"x" * 40 + b"\xff\xd9"), ("a.gif", b"GIF89a"), ("a.gif", b"GIF89a\0\0\0\0;"),
    ],
)  # fmt: skip
def test_pictures_that_are_none(settings: Settings, name: str, data: bytes) -> None:
    seen = look(settings, name, data)
    assert seen.pictures == ()
    assert seen.says.startswith("No preview: not a whole picture of this kind")


def test_pictures_that_would_fill_the_memory(settings: Settings) -> None:
    header = b"IHDR" + struct.pack(">II", 60_000, 60_000) + PIXEL[24:29]
    data = PIXEL[:12] + header + struct.pack(">I", zlib.crc32(header)) + PIXEL[33:]
    assert look(settings, "a.png", data).says.startswith("A picture of 60,000 x 60,000 pixels")
    assert look(settings, "b.png", PIXEL + bytes(4 << 20)).says.startswith("A picture of 4,194,")


def test_texts(settings: Settings) -> None:
    seen = look(settings, "readme.md", b"# Title\x1b[31m\n<script>alert(1)</script>\n\xff\n")
    assert seen.kind == "text"
    assert seen.text == "# Title [31m\n<script>alert(1)</script>\n\N{REPLACEMENT CHARACTER}"
    long = look(settings, "long.txt", b"line\n" * 100_000)
    assert (len(long.text.splitlines()), long.says) == (80, "The beginning of the text.")
    assert look(settings, "odd.txt", b"a\0b").kind == "nothing"


@pytest.mark.parametrize("name", ["a.svg", "a.html", "A.HTM", "a.xml", "a.pdf", "a.ipynb", "a.js"])
def test_nothing_that_may_hold_programs(settings: Settings, name: str) -> None:
    seen = look(settings, name, b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    assert seen == Preview(name, "nothing", seen.says)
    assert "may hold programs" in seen.says


def test_other_kinds(settings: Settings) -> None:
    assert look(settings, "a.bin", b"?").says == "No preview of this kind of file (other)."
    assert look(settings, "a.nc", b"?").says == "No preview of this kind of file (arrays)."
    with pytest.raises(UnknownName):
        preview(open_dataset(settings.project / "datasets" / "counts"), "b.bin", cache=settings.cache)


def test_where_files_are(settings: Settings) -> None:
    away = entry("away.csv", ROWS, columns=COLUMNS, origins=[{"url": "https://example.org/away.csv"}])
    large = entry("large.csv", ROWS).model_copy(update={"bytes": 10**12})
    folder = describe(settings.project / "datasets" / "counts", [away, large, entry("gone.csv", b"gone")])
    dataset = open_dataset(folder)
    says = {
        name: preview(dataset, name, cache=settings.cache).says for name in preview_names(dataset, cache=settings.cache)
    }
    assert says == {
        "away.csv": "No preview: not here; the card says where to get it.",
        "large.csv": "No preview: 1,000,000,000,000 bytes; files up to 167,772,160 are looked into.",
        "gone.csv": "No preview: not here.",
    }
    cached = cache_path(settings.cache, away.sha256)
    cached.parent.mkdir(parents=True)
    cached.write_bytes(ROWS)
    assert preview(dataset, "away.csv", cache=settings.cache).kind == "table"
    (folder / "gone.csv").write_bytes(b"longer")
    assert "has 6 bytes, the card says 4" in preview(dataset, "gone.csv", cache=settings.cache).says


def test_a_file_that_was_changed(settings: Settings, tmp_path: Path) -> None:
    folder = make_dataset(settings, {"counts.csv": ROWS}, columns=COLUMNS)
    dataset = open_dataset(folder)
    first = preview(dataset, "counts.csv", cache=settings.cache)
    assert preview(dataset, "counts.csv", cache=settings.cache) is first
    (folder / "counts.csv").write_bytes(ROWS.replace(b"1200", b"1300"))
    seen = preview(dataset, "counts.csv", cache=settings.cache)
    assert "the file is not the one that the card names" in seen.says
    assert str(tmp_path) not in seen.says


def test_many_readers_at_once(settings: Settings) -> None:
    dataset = open_dataset(make_dataset(settings, {"counts.csv": ROWS}, columns=COLUMNS))
    seen: list[Preview] = []
    readers = [
        threading.Thread(target=lambda: seen.append(preview(dataset, "counts.csv", cache=settings.cache)))
        for _ in range(8)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len({id(one) for one in seen}) == 1
