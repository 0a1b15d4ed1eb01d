"""NIfTI: against nibabel and SimpleITK, and against files that are wrong in every way we know."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from braggbook.errors import ImagingError, StorageError
from braggbook.imaging.geometry import Grid
from braggbook.imaging.reading import read_dicom
from braggbook.imaging.store.digest import digest
from braggbook.imaging.store.layout import SHARD_BYTES
from braggbook.imaging.store.nifti import nifti_version, write_nifti
from braggbook.imaging.store.nifti_read import AFFINE_MM, read_nifti
from braggbook.imaging.volumes import grid_of, make_volume

Made = Callable[..., xr.DataArray]
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
SHIPPED = Path(nib.__file__).parent / "tests" / "data"
SINGLE_MM = 4e-5  # of a NIfTI-1 header, at 600 mm


def loaded(path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], Any]:
    """Returns voxels as (..., z, y, x), the affine in LPS and the header, by nibabel."""
    image = nib.load(path)
    return np.asarray(image.dataobj).T, FLIP @ image.affine, image.header


def header_of(path: Path) -> Any:
    return nib.load(path).header


# Out


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "uint16", "int32", "int64", "uint64", "float32", "float64", "complex64"]
)
def test_nibabel_reads_what_we_write(made: Made, tmp_path: Path, oblique: Grid, name: str, dtype: str) -> None:
    volume = made(dtype=dtype, grid=oblique)
    voxels, affine, header = loaded(write_nifti(volume, tmp_path / name))
    assert voxels.dtype == volume.dtype
    assert np.array_equal(voxels, volume.values)
    assert np.abs(affine - oblique.affine).max() <= SINGLE_MM
    assert grid_of(read_nifti(tmp_path / name)["ct"]).is_same(oblique, tolerance_mm=AFFINE_MM)
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)
    assert header.get_xyzt_units() == ("mm", "unknown")
    assert np.abs(header.get_qform() - header.get_sform()).max() < 1e-4
    assert np.allclose(header.get_zooms(), oblique.spacing_mm[::-1])


def test_itk_reads_what_we_write(made: Made, tmp_path: Path, oblique: Grid) -> None:
    volume = made(grid=oblique)
    image = SimpleITK.ReadImage(write_nifti(volume, tmp_path / "v.nii.gz"))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), volume.values)
    for index in ((0, 0, 0), (6, 5, 4), (2, 3, 1)):
        assert np.allclose(image.TransformIndexToPhysicalPoint(index), oblique.to_patient(index), rtol=0, atol=1e-4)
    assert np.allclose(image.GetSpacing()[::-1], oblique.spacing_mm, rtol=1e-6)


def test_the_version_is_the_first_that_is_good_enough(made: Made, tmp_path: Path) -> None:
    near = Grid.from_axes((5, 6, 7), spacing_mm=(3.0, 0.5, 0.25), origin_mm=(-250.5, 100.25, -629.0))
    far = Grid.from_axes((5, 6, 7), spacing_mm=(3.0, 0.5, 0.25), origin_mm=(-250.5, 100.25, -629.04))
    stage = Grid.from_axes((5, 6, 7), spacing_mm=(1e-3, 2e-4, 2e-4), origin_mm=(51.3, 70.7, 0.1))
    lost = {}
    for name, grid, version, kind in (
        ("near", near, None, nib.Nifti1Header),
        ("far", far, None, nib.Nifti1Header),
        ("far in double", far, 2, nib.Nifti2Header),
        ("stage", stage, None, nib.Nifti2Header),  # a voxel there is a fiftieth of a micrometre's rounding
    ):
        path = write_nifti(made(grid=grid), tmp_path / "v.nii", version=version, overwrite=True)
        assert type(header_of(path)) is kind
        assert np.array_equal(grid_of(read_nifti(path)["ct"]).affine, grid.affine)  # by the side-car
        lost[name] = nifti_version(made(grid=grid), version)[1]
        bare = grid_of(read_nifti(path, sidecar=False)["image"])
        assert bare.is_same(grid, tolerance_mm=lost[name] + 1e-12)
    assert lost["near"] == lost["far in double"] == lost["stage"] == 0
    assert AFFINE_MM < lost["far"] < SINGLE_MM


def test_more_voxels_than_version_1_can_count(made: Made) -> None:
    long = Grid.from_axes((1, 1, 40_000), spacing_mm=(1, 1, 1))
    assert nifti_version(made(long.shape, grid=long)) == (2, 0.0)
    short = Grid.from_axes((1, 1, 32_767), spacing_mm=(1, 1, 1))
    assert nifti_version(made(short.shape, grid=short)) == (1, 0.0)


def test_left_handed_and_flipped_grids(made: Made, tmp_path: Path) -> None:
    for directions in (np.diag([1, 1, -1]), np.diag([-1, -1, 1]), [[0, 1, 0], [0, 0, -1], [1, 0, 0]]):
        grid = Grid.from_axes((5, 6, 7), spacing_mm=(3.0, 0.5, 0.25), origin_mm=(1, 2, 3), directions=directions)
        write_nifti(made(grid=grid), tmp_path / "v.nii", overwrite=True, sidecar=False)
        assert np.array_equal(loaded(tmp_path / "v.nii")[1], grid.affine)
        assert np.allclose(FLIP @ header_of(tmp_path / "v.nii").get_qform(), grid.affine, atol=1e-6)


def test_a_tilted_gantry_is_in_the_sform_alone(made: Made, tmp_path: Path) -> None:
    affine = np.diag([0.5, 0.5, 3.0, 1.0])
    affine[1, 2] = 0.75
    volume = made(grid=Grid((5, 6, 7), affine))
    header = header_of(write_nifti(volume, tmp_path / "v.nii"))
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 0)
    assert np.array_equal(grid_of(read_nifti(tmp_path / "v.nii", sidecar=False)["image"]).affine, affine)


@pytest.mark.parametrize("sidecar", [True, False])
def test_time_and_channels(made: Made, tmp_path: Path, sidecar: bool) -> None:
    t = ("t", [2.0, 3.5], {"units": "min"})
    for shape, coords in (
        ((2, 5, 6, 7), {"t": t}),
        ((2, 3, 5, 6, 7), {"t": t, "c": ["a", "b", "d"]}),
        ((3, 5, 6, 7), {"c": [1, 5, 9]}),
    ):
        volume = made(shape, coords=coords)
        write_nifti(volume.chunk(z=2), tmp_path / "v.nii", overwrite=True, sidecar=sidecar)
        voxels, _, header = loaded(tmp_path / "v.nii")
        if "t" in coords:
            assert header.get_xyzt_units() == ("mm", "sec")
            assert (float(header["pixdim"][4]), float(header["toffset"])) == (90.0, 120.0)
        wanted = volume.values.swapaxes(0, 1) if len(shape) == 5 else volume.values
        assert np.array_equal(voxels.squeeze(), wanted)
        (back,) = read_nifti(tmp_path / "v.nii").data_vars.values()
        assert back.dims == volume.dims
        assert np.array_equal(back, volume)
        if sidecar:
            xr.testing.assert_identical(back.drop_attrs().compute(), volume.drop_attrs())
        elif "t" in coords:
            assert np.allclose(back["t"], [120.0, 210.0])
            assert back["t"].attrs["units"] == "s"


def test_colours_are_rgb_both_ways(made: Made, tmp_path: Path) -> None:
    volume = made((3, 5, 6, 7), "uint8", coords={"c": ["red", "green", "blue"]})
    image = nib.load(write_nifti(volume, tmp_path / "v.nii", sidecar=False))
    assert image.get_data_dtype().names == ("R", "G", "B")
    assert np.array_equal(np.asarray(image.dataobj)["G"].T, volume.sel(c="green"))
    assert SimpleITK.ReadImage(write_nifti(volume, tmp_path / "w.nii")).GetNumberOfComponentsPerPixel() == 3
    back = read_nifti(tmp_path / "v.nii")["image"]
    assert back["c"].values.tolist() == ["red", "green", "blue"]
    assert np.array_equal(back, volume)
    assert np.array_equal(read_nifti(tmp_path / "w.nii")["ct"], volume)


@pytest.mark.parametrize(("dtype", "stored"), [("bool", "uint8"), ("float16", "float32"), (">i2", "int16")])
def test_types_that_nifti_lacks_lose_nothing(made: Made, tmp_path: Path, dtype: str, stored: str) -> None:
    volume = made(dtype=dtype)
    write_nifti(volume, tmp_path / "v.nii")
    assert loaded(tmp_path / "v.nii")[0].dtype == stored
    back = read_nifti(tmp_path / "v.nii")["ct"]
    assert back.dtype == volume.dtype.newbyteorder("=")
    assert np.array_equal(back, volume)


def test_attributes_are_in_the_side_car(made: Made, tmp_path: Path) -> None:
    tags = {"Modality": "CT", "Manufacturer": "ACME", "RepetitionTime": 2000.0, "EchoTime": 5, "window": (40, 400)}
    volume = made(attrs={"tags": tags, "nan": float("nan")})
    write_nifti(volume, tmp_path / "v.nii.gz")
    card = json.loads((tmp_path / "v.json").read_text())
    told = {key: card[key] for key in ("Modality", "Manufacturer", "RepetitionTime", "EchoTime", "Units")}
    assert told == {"Modality": "CT", "Manufacturer": "ACME", "RepetitionTime": 2.0, "EchoTime": 0.005, "Units": "HU"}
    back = read_nifti(tmp_path / "v.nii.gz")["ct"]
    assert back.attrs.pop("nifti")["affine_from"] == "sform"
    xr.testing.assert_identical(back.compute(), volume)


def test_the_same_volume_is_the_same_bytes(made: Made, tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        write_nifti(made().chunk(z=2) if name < "b" else made(), tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


@pytest.mark.parametrize(
    ("change", "name", "says"),
    [
        (lambda v: v, "v.img", "not the name of a NIfTI file; wanted <name>.nii or <name>.nii.gz"),
        (lambda v: v.values, "v.nii", "not a volume"),
        (lambda v: v.transpose("x", "y", "z"), "v.nii", "axes in another order"),
        (lambda v: v.astype(str), "v.nii", "a type that NIfTI does not have"),
        (lambda v: v.drop_attrs(), "v.nii", "without its affine"),
        (lambda v: v.assign_attrs(x=object()), "v.nii", "attributes that cannot be stored"),
    ],
)
def test_what_cannot_be_written_is_refused(made: Made, tmp_path: Path, change: Any, name: str, says: str) -> None:
    with pytest.raises(ImagingError, match=says):
        write_nifti(change(made()), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_replaced_unless_asked(made: Made, tmp_path: Path) -> None:
    write_nifti(made(), tmp_path / "v.nii")
    before = (tmp_path / "v.nii").read_bytes()
    with pytest.raises(ImagingError, match="there is something already"):
        write_nifti(made(dtype="float32"), tmp_path / "v.nii")
    (tmp_path / "v.nii").rename(tmp_path / "w.nii")
    with pytest.raises(ImagingError, match=r"v\.json: there is something already"):
        write_nifti(made(dtype="float32"), tmp_path / "v.nii")
    assert (tmp_path / "w.nii").read_bytes() == before
    write_nifti(made(), tmp_path / "w.nii", overwrite=True, sidecar=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.json", "w.nii"]
    (tmp_path / "d.nii").mkdir()
    (tmp_path / "d.nii" / "x").write_text("x")
    with pytest.raises(ImagingError, match="not of this kind"):
        write_nifti(made(), tmp_path / "d.nii", overwrite=True)


def test_a_failing_source_leaves_nothing(made: Made, tmp_path: Path) -> None:
    volume = made().chunk(z=1)
    broken = volume.copy(data=volume.data.map_blocks(lambda block: block[:1, :1, :1].item() // 0, dtype="int16"))
    with pytest.raises(ZeroDivisionError):
        write_nifti(broken, tmp_path / "v.nii.gz")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_said(made: Made, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot write"):
        write_nifti(made(), tmp_path / "file" / "v.nii")


# In


def save(path: Path, data: Any, affine: Any = None, *, version: int = 1, **fields: Any) -> Path:
    """Writes a file by nibabel, then changes its header's fields."""
    image = (nib.Nifti1Image if version == 1 else nib.Nifti2Image)(
        data, np.diag([2.0, 3, 4, 1]) if affine is None else affine
    )
    nib.save(image, path)
    raw = bytearray(path.read_bytes())
    kind = nib.Nifti1Header if version == 1 else nib.Nifti2Header
    size = kind.template_dtype.itemsize
    header = kind(bytes(raw[:size]), check=False)
    for key, value in fields.items():
        header[key] = value
    raw[:size] = header.binaryblock
    path.write_bytes(raw)
    return path


DATA = np.arange(24, dtype=np.int16).reshape(2, 3, 4)  # x y z


@pytest.mark.parametrize("version", [1, 2])
def test_the_sform_counts_then_the_qform(tmp_path: Path, version: int) -> None:
    path = save(tmp_path / "a.nii", DATA, version=version, sform_code=1, qform_code=0)
    volume = read_nifti(path)["image"]
    assert np.array_equal(volume.values, DATA.T)
    assert np.array_equal(grid_of(volume).affine, FLIP @ np.diag([2.0, 3, 4, 1]))
    path = save(tmp_path / "b.nii", DATA, version=version, sform_code=0, qform_code=2, qoffset_x=5)
    volume = read_nifti(path)["image"]
    assert volume.attrs["nifti"] == {"affine_from": "qform", "sform_code": 0, "qform_code": 2}
    assert grid_of(volume).origin_mm == (-5.0, 0.0, 0.0)


def test_pixdim_alone_is_refused_unless_told(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", DATA, sform_code=0, qform_code=0)
    with pytest.raises(ImagingError, match="does not say where its voxels are") as caught:
        read_nifti(path)
    assert 'affine_from="pixdim"' in caught.value.next_command
    assert np.array_equal(
        grid_of(read_nifti(path, affine_from="pixdim")["image"]).affine, FLIP @ np.diag([2.0, 3, 4, 1])
    )
    with pytest.raises(ImagingError, match="wanted qform with a code above 0"):
        read_nifti(path, affine_from="qform")


def test_two_affines_that_claim_the_same_space_are_a_question(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", DATA, sform_code=1, qform_code=1, qoffset_z=7)
    with pytest.raises(ImagingError, match=r"sform and qform place the voxels differently.*got 7 mm"):
        read_nifti(path)
    assert grid_of(read_nifti(path, affine_from="sform")["image"]).origin_mm[2] == 0
    assert grid_of(read_nifti(path, affine_from="qform")["image"]).origin_mm[2] == 7
    other = save(tmp_path / "b.nii", DATA, sform_code=4, qform_code=1, qoffset_z=7)  # MNI and scanner: two spaces
    assert grid_of(read_nifti(other)["image"]).origin_mm[2] == 0


@pytest.mark.parametrize(("code", "factor"), [(0, 1.0), (1, 1000.0), (2, 1.0), (3, 0.001)])
def test_units_of_length(tmp_path: Path, code: int, factor: float) -> None:
    path = save(tmp_path / "a.nii", DATA, xyzt_units=code)
    assert np.allclose(grid_of(read_nifti(path)["image"]).spacing_mm, np.array([4.0, 3, 2]) * factor, rtol=1e-15)


@pytest.mark.parametrize(
    ("dtype", "slope", "inter", "wanted"),
    [
        ("uint8", 2.0, -1000.0, "int16"),
        ("int16", 1.0, -1024.0, "int32"),
        ("int16", 0.5, 3.0, "float64"),
        ("float32", 2.0, 0.0, "float64"),
        ("int16", 0.0, 9.0, "int16"),  # a slope of 0: not scaled
        ("int16", float("nan"), 1.0, "int16"),
        ("int16", 1.0, 0.0, "int16"),
    ],
)
def test_scaling_is_honoured(tmp_path: Path, dtype: str, slope: float, inter: float, wanted: str) -> None:
    path = save(tmp_path / "a.nii", DATA.astype(dtype), scl_slope=slope, scl_inter=inter)
    volume = read_nifti(path)["image"]
    assert volume.dtype == wanted
    assert np.array_equal(volume, DATA.T * slope + inter if np.isfinite(slope) and slope else DATA.T)
    assert np.array_equal(volume, np.asarray(nib.load(path).dataobj).T)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"dim": [9, 2, 3, 4, 1, 1, 1, 1]}, "dim is not a shape"),
        ({"dim": [3, 2, -3, 4, 1, 1, 1, 1]}, "dim is not a shape"),
        ({"dim": [6, 2, 3, 1, 1, 1, 4, 1]}, "more dimensions than x, y, z, t, c"),
        ({"dim": [3, 2, 3, 32767, 1, 1, 1, 1]}, "cut off; wanted"),
        ({"datatype": 77}, "a datatype that cannot be read"),
        ({"datatype": 1536}, "a datatype that cannot be read"),
        ({"vox_offset": float("nan")}, "vox_offset is no place"),
        ({"vox_offset": -8}, "vox_offset is no place"),
        ({"srow_x": float("inf")}, "the sform of a NIfTI file is no affine"),
        ({"srow_x": 0}, "the affine of a NIfTI file is of no use"),
        ({"sform_code": 0, "qform_code": 1, "quatern_b": 3.0}, "the qform of a NIfTI file is no affine"),
        ({"sform_code": 0, "qform_code": 1, "pixdim": [1, 0, 3, 4, 1, 1, 1, 1]}, "pixdim is no spacing"),
        ({"scl_slope": float("inf")}, "no scaling"),
        ({"xyzt_units": 7}, "a unit of length that NIfTI does not have"),
        ({"magic": b"abc"}, "not a NIfTI file"),
    ],
)
def test_bad_headers_are_refused(tmp_path: Path, fields: dict[str, Any], says: str) -> None:
    path = save(tmp_path / "a.nii", DATA, **{"sform_code": 1, **fields})
    with pytest.raises(ImagingError, match=says) as caught:
        read_nifti(path)
    assert "a.nii" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot read; got No such file"),
        (b"", "not a NIfTI file"),
        (b"x" * 1000, "not a NIfTI file"),
        (b"\x1f\x8bxx", "cannot read"),
        (b"\0" * 128 + b"DICM" + b"\0" * 500, "next: read_dicom"),
    ],
)
def test_what_is_no_nifti_is_refused(tmp_path: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(ImagingError, match=says):
        read_nifti(tmp_path / "a.nii")


def test_files_that_are_cut_off(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", DATA)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(ImagingError, match=f"cut off; wanted {len(whole)} bytes .*, got {len(whole) - 1} bytes"):
        read_nifti(path)
    path.write_bytes(whole[:200])
    with pytest.raises(ImagingError, match=r"not a NIfTI|cut off"):
        read_nifti(path)
    packed = gzip.compress(whole, mtime=0)
    small = tmp_path / "a.nii.gz"
    for keep in range(20, len(packed), 7):
        small.write_bytes(packed[:keep])
        with pytest.raises(ImagingError):
            read_nifti(small)["image"].compute()
    flipped = bytearray(packed)
    flipped[-6] ^= 1  # of its CRC
    small.write_bytes(flipped)
    with pytest.raises(ImagingError, match="CRC"):
        read_nifti(small)["image"].compute()


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_damage_behind_the_last_voxel_that_is_asked_for(tmp_path: Path, damage: str) -> None:
    """The checksum of a compressed file is at its end; without it a part is not known to be right."""
    noise = np.random.default_rng(0).integers(0, 255, (100, 100, 60), dtype=np.uint8)
    packed = bytearray(gzip.compress(save(tmp_path / "a.nii", noise).read_bytes(), mtime=0))
    packed[-6] ^= damage == "flip"
    (tmp_path / "a.nii.gz").write_bytes(packed[:-4] if damage == "cut" else packed)
    lazy = read_nifti(tmp_path / "a.nii.gz")["image"]
    with pytest.raises(ImagingError, match=r"cut off or damaged; got .*(CRC|end-of-stream)") as caught:
        lazy[0].compute()
    assert "a.nii.gz" in caught.value.where


def test_a_header_that_claims_what_no_compression_could_hold(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", DATA, dim=[3, 30000, 30000, 30000, 1, 1, 1, 1])
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(ImagingError, match=r"cut off; wanted .* bytes, compressed"):
        read_nifti(tmp_path / "a.nii.gz")


def test_compression_is_known_by_its_bytes_and_not_by_the_name(tmp_path: Path) -> None:
    whole = save(tmp_path / "a.nii", DATA).read_bytes()
    (tmp_path / "b.nii").write_bytes(gzip.compress(whole))
    (tmp_path / "b.nii.gz").write_bytes(whole)
    for name in ("b.nii", "b.nii.gz"):
        assert np.array_equal(read_nifti(tmp_path / name)["image"], DATA.T)


def test_a_compressed_file_that_does_not_end(tmp_path: Path) -> None:
    whole = save(tmp_path / "a.nii", DATA).read_bytes()
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(whole + bytes(16 << 20)))
    with pytest.raises(ImagingError, match=f"more than the {len(whole)} bytes that its header says"):
        read_nifti(tmp_path / "a.nii.gz")["image"].compute()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.nii")
    with pytest.raises(ImagingError, match="not a file"):
        read_nifti(tmp_path / "a.nii")


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_big_endian_files(tmp_path: Path, kind: Any) -> None:
    header = kind.header_class(endianness=">")
    header.set_data_dtype(">i2")
    nib.save(kind(DATA, np.diag([2.0, 3, 4, 1]), header), tmp_path / "a.nii")
    assert nib.load(tmp_path / "a.nii").header.endianness == ">"
    volume = read_nifti(tmp_path / "a.nii")["image"]
    assert np.array_equal(volume, DATA.T)
    assert grid_of(volume).spacing_mm == (4.0, 3.0, 2.0)


def test_a_pair_of_header_and_image(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(DATA, np.diag([2.0, 3, 4, 1])), tmp_path / "p.img")
    for name in ("p.hdr", "p.img"):
        assert np.array_equal(read_nifti(tmp_path / name)["image"], DATA.T)
    (tmp_path / "p.img").unlink()
    with pytest.raises(ImagingError, match=r"p.img: cannot read"):
        read_nifti(tmp_path / "p.hdr")


def test_a_side_car_of_another_image_is_refused(made: Made, tmp_path: Path, oblique: Grid) -> None:
    write_nifti(made(), tmp_path / "a.nii")
    write_nifti(made(grid=oblique), tmp_path / "b.nii")
    (tmp_path / "b.json").replace(tmp_path / "a.json")
    with pytest.raises(ImagingError, match="a side-car that is of another image"):
        read_nifti(tmp_path / "a.nii")
    assert np.array_equal(read_nifti(tmp_path / "a.nii", sidecar=False)["image"], made())
    (tmp_path / "a.json").write_text('{"Modality": "CT"}')  # as BIDS has them
    assert np.array_equal(read_nifti(tmp_path / "a.nii")["image"], made())
    (tmp_path / "a.json").write_text('{"BraggbookFormat": "braggbook.nifti/9"}')
    with pytest.raises(ImagingError, match="a side-car that this version does not read"):
        read_nifti(tmp_path / "a.nii")


@pytest.mark.parametrize(
    "name",
    [
        "standard.nii.gz",
        "example4d.nii.gz",
        "example_nifti2.nii.gz",
        "anatomical.nii",
        "functional.nii",
        "reoriented_anat_moved.nii",
    ],
)
def test_files_that_nibabel_ships(name: str) -> None:
    image = nib.load(SHIPPED / name)
    volume = read_nifti(SHIPPED / name, affine_from="sform" if image.header["sform_code"] else "qform")["image"]
    data = np.asarray(image.dataobj).T
    assert np.array_equal(volume, data.reshape(volume.shape))
    assert np.allclose(grid_of(volume).affine, FLIP @ image.affine, rtol=0, atol=1e-9)


def test_an_analyze_file_is_not_taken_for_nifti() -> None:
    with pytest.raises(ImagingError, match="not a NIfTI file"):
        read_nifti(SHIPPED / "analyze.hdr")


_HALF_A_GIGABYTE = """
import sys, threading
import dask.array as da
import psutil
from braggbook.imaging.geometry import Grid
from braggbook.imaging.store.digest import digest
from braggbook.imaging.store.nifti import write_nifti
from braggbook.imaging.store.nifti_read import read_nifti
from braggbook.imaging.volumes import make_volume

data = da.random.default_rng(1).integers(-1000, 3000, (1000, 512, 512), dtype="int16", chunks=(1, 512, 512))
volume = make_volume(data, Grid.from_axes(data.shape, spacing_mm=(1, 1, 1)), name="ct", units="HU")
write_nifti(volume[:2], "first.nii")  # libraries are loaded
digest(read_nifti("first.nii")["ct"])
process, done = psutil.Process(), threading.Event()
idle = most = process.memory_info().rss

def watch():
    global most
    while not done.wait(0.005):
        most = max(most, process.memory_info().rss)

watcher = threading.Thread(target=watch)
watcher.start()
try:
    write_nifti(volume, "v.nii")
    same = digest(read_nifti("v.nii")["ct"], workers=2) == digest(volume, workers=2)
finally:
    done.set()
    watcher.join()
print(most - idle, int(same))
"""


@pytest.mark.full
def test_a_volume_larger_than_what_it_may_hold(tmp_path: Path) -> None:
    """Half a gigabyte, there and back: no more than three pieces a worker are held, whatever the size."""
    command = [sys.executable, "-c", _HALF_A_GIGABYTE]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    grown, same = map(int, said.stdout.split())
    assert same
    assert grown < 3 * SHARD_BYTES * 2


@pytest.mark.full
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), min_size=1, max_size=6), st.booleans())
def test_no_change_of_bytes_is_more_than_an_error(tmp_path: Path, changes: list[tuple[int, int]], packed: bool) -> None:
    raw = bytearray(save(tmp_path / "a.nii", DATA, sform_code=1).read_bytes())
    for position, value in changes:
        raw[position] = value
    path = tmp_path / "b.nii"
    path.write_bytes(gzip.compress(raw, 1) if packed else raw)
    try:
        volume = read_nifti(path)["image"]
        if volume.nbytes < 1 << 20:
            volume.compute()
    except ImagingError as error:
        said = str(error)
    else:
        said = str(path)
    assert "b.nii" in said


# Real data


def test_the_ibsi_phantom(mirror: Path, tmp_path: Path) -> None:
    phantom = mirror / "ibsi1_digital_phantom" / "phantom.nii.gz"
    volume = read_nifti(phantom)["image"]
    assert volume.shape == (4, 4, 5)
    assert grid_of(volume).spacing_mm == (2.0, 2.0, 2.0)
    write_nifti(volume, tmp_path / "v.nii.gz", sidecar=False)
    voxels, affine, _ = loaded(tmp_path / "v.nii.gz")
    assert np.array_equal(voxels, np.asarray(nib.load(phantom).dataobj).T)
    assert np.array_equal(affine, FLIP @ nib.load(phantom).affine)


def dicom_volume(folder: Path) -> xr.DataArray:
    """Builds STS_002's CT with nothing of ours: axial, feet first in z order, slope and intercept whole numbers."""
    slices = sorted((pydicom.dcmread(path) for path in folder.glob("*.dcm")), key=lambda s: s.ImagePositionPatient[2])
    data = np.stack([s.pixel_array * int(s.RescaleSlope) + int(s.RescaleIntercept) for s in slices]).astype(np.int16)
    first, last = (np.array(s.ImagePositionPatient, dtype=np.float64) for s in (slices[0], slices[-1]))
    dy, dx = map(float, slices[0].PixelSpacing)
    dz = (last - first)[2] / (len(slices) - 1)
    grid = Grid.from_axes(data.shape, spacing_mm=(dz, dy, dx), origin_mm=tuple(first))
    return make_volume(data, grid, name="ct", units="HU")


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_sts_002_round_trip(mirror: Path, tmp_path: Path, name: str) -> None:
    case = mirror / "sts002_ct_mr_pet" / "STS_002" / "CT"
    volume = dicom_volume(case / "dicom" / "image")
    assert volume.shape == (48, 143, 161)
    write_nifti(volume, tmp_path / name)
    voxels, affine, _ = loaded(tmp_path / name)
    assert np.array_equal(voxels, volume.values)
    assert np.abs(affine - grid_of(volume).affine).max() <= SINGLE_MM
    xr.testing.assert_equal(read_nifti(tmp_path / name)["ct"].compute(), volume)  # the affine to the last bit
    image = SimpleITK.ReadImage(tmp_path / name)
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), volume.values)
    for index in ((0, 0, 0), (160, 142, 47)):
        theirs = image.TransformIndexToPhysicalPoint(index)
        assert np.allclose(theirs, grid_of(volume).to_patient(index), rtol=0, atol=1e-4)  # ITK keeps float spacings
    write_nifti(volume, tmp_path / name, version=2, overwrite=True)
    assert np.abs(loaded(tmp_path / name)[1] - grid_of(volume).affine).max() <= AFFINE_MM
    theirs = read_nifti(case / "nifti" / "image" / "image.nii.gz")["image"]
    assert np.array_equal(theirs, volume.values)
    corners = grid_of(volume).corner_indices()
    apart = grid_of(theirs).to_patient(corners) - grid_of(volume).to_patient(corners)
    assert np.abs(apart).max() < 1e-3  # their positions are in single precision


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("kind", ["CT", "MR_T1", "PET"])
def test_a_real_series_comes_back_as_it_was(mirror: Path, tmp_path: Path, kind: str, version: int) -> None:
    """What the reader made of a series; version 1 keeps an affine only as single precision, the side-car all of it."""
    image = read_dicom(mirror / "sts002_ct_mr_pet" / "STS_002" / kind / "dicom" / "image").image
    write_nifti(image, tmp_path / "v.nii.gz", version=version)
    (back,) = read_nifti(tmp_path / "v.nii.gz").data_vars.values()
    assert grid_of(back).is_same(grid_of(image), tolerance_mm=1e-5)
    assert digest(back) == digest(image)
    assert back.attrs["units"] == image.attrs["units"]
    (bare,) = read_nifti(tmp_path / "v.nii.gz", sidecar=False).data_vars.values()
    assert np.array_equal(bare, image)
    assert grid_of(bare).is_same(grid_of(image), tolerance_mm=1e-5 if version == 2 else SINGLE_MM)
