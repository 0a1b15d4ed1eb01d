"""OME-Zarr: what we write is the standard's, what we read is ours, theirs, or refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from ome_zarr_models.v05.image import Image as OmeImage

from braggbook.errors import ImagingError
from braggbook.imaging.geometry import Grid
from braggbook.imaging.store.manifest import verify_manifest, write_manifest
from braggbook.imaging.store.ome import write_ome
from braggbook.imaging.store.ome_read import read_ome
from braggbook.imaging.store.pyramid import halve, plan_levels
from braggbook.imaging.store.zarr_store import read_volume, write_volume
from braggbook.imaging.volumes import grid_of, make_volume

Made = Callable[..., xr.DataArray]
LARGE = (9, 300, 257)  # slices of 3 mm, rows of 0.9 mm, columns of 0.7 mm: two smaller copies


def ome(path: Path) -> Any:
    return json.loads((path / "zarr.json").read_text())["attributes"]["ome"]


def test_what_is_written_is_what_the_specification_asks_for(made: Made, tmp_path: Path) -> None:
    write_ome(made(LARGE), tmp_path / "v.ome.zarr")
    written = ome(tmp_path / "v.ome.zarr")
    (image,) = written["multiscales"]
    assert written["version"] == "0.5"
    assert image["axes"] == [{"name": axis, "type": "space", "unit": "millimeter"} for axis in "zyx"]
    assert image["type"] == "mean"
    steps = [item["coordinateTransformations"] for item in image["datasets"]]
    assert [[step["type"] for step in level] for level in steps] == [["scale", "translation"]] * 3
    # the third time only rows and columns, whose spacing is below twice the smallest of 1.4 mm
    assert np.allclose([level[0]["scale"] for level in steps], [[3.0, 0.9, 0.7], [3.0, 1.8, 1.4], [3.0, 3.6, 2.8]])
    assert np.allclose(
        [level[1]["translation"] for level in steps[:2]], [[-600.3, -249.7, -250.1], [-600.3, -249.25, -249.75]]
    )
    for item in image["datasets"]:
        array = zarr.open_array(tmp_path / "v.ome.zarr" / item["path"], mode="r")
        assert array.metadata.dimension_names == ("z", "y", "x")
        assert array.metadata.zarr_format == 3


def test_the_community_s_own_models_accept_it(made: Made, tmp_path: Path) -> None:
    write_ome(made(LARGE), tmp_path / "a.ome.zarr")
    channels = made(
        (3, 2, 1, 40, 30), "float32", coords={"c": ["DAPI", "gH2AX"], "t": ("t", [0.0, 1, 2], {"units": "s"})}
    )
    write_ome(channels, tmp_path / "b.ome.zarr")
    for name in ("a", "b"):
        OmeImage.from_zarr(zarr.open_group(tmp_path / f"{name}.ome.zarr", mode="r"))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(5, 6, 7), (1, 40, 30), (2, 5, 6, 7), (2, 3, 5, 6, 7)])
def test_ours_comes_back_as_it_was(
    made: Made, tmp_path: Path, oblique: Grid, shape: tuple[int, ...], dtype: str
) -> None:
    coords = {"c": ["DAPI", "gH2AX", "TRITC"]} if len(shape) == 5 else {}
    if len(shape) > 3:
        coords["t"] = ("t", [1.5, 2.0], {"units": "min"})  # type: ignore[assignment]
    grid = Grid(shape[-3:], oblique.affine)  # type: ignore[arg-type]
    volume = made(shape, dtype, grid=grid, coords=coords, attrs={"nan": float("nan"), "tags": {"window": (40, 400)}})
    back = read_ome(write_ome(volume, tmp_path / "v.ome.zarr"))["ct"]
    assert back.chunks is not None
    xr.testing.assert_identical(back.compute(), volume)
    assert np.array_equal(grid_of(back).affine, oblique.affine)


def test_a_channel_alone_comes_back(made: Made, tmp_path: Path) -> None:
    volume = made((2, 1, 30, 40), "uint16", coords={"c": ["DAPI", "gH2AX"]})
    write_ome(volume, tmp_path / "v.ome.zarr")
    xr.testing.assert_identical(read_ome(tmp_path / "v.ome.zarr")["ct"].compute(), volume)
    channels = ome(tmp_path / "v.ome.zarr")["omero"]["channels"]
    assert [channel["label"] for channel in channels] == ["DAPI", "gH2AX"]
    assert channels[1]["window"]["end"] == volume[1].max()


def test_smaller_copies_are_means_at_the_right_place(made: Made, tmp_path: Path, oblique: Grid) -> None:
    """The oracle: means by NumPy, and a ramp over patient space, whose copies must be the same ramp."""
    shape = (4, 260, 300)
    volume = made(shape)
    write_ome(volume, tmp_path / "v.ome.zarr")
    half = read_ome(tmp_path / "v.ome.zarr", level=1)["ct"]
    assert half.shape == (4, 130, 150)
    assert np.array_equal(half, np.rint(volume.values.reshape(4, 130, 2, 150, 2).mean(axis=(2, 4))))
    grid = Grid(shape, oblique.affine)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)[..., ::-1]
    ramp = grid.to_patient(index) @ (1.0, -2.0, 3.0)
    write_ome(make_volume(ramp, grid, name="ramp", units="1"), tmp_path / "r.ome.zarr")
    copy = read_ome(tmp_path / "r.ome.zarr", level=1)["ramp"]
    place = np.stack(np.meshgrid(*(np.arange(n) for n in copy.shape), indexing="ij"), axis=-1)[..., ::-1]
    assert np.allclose(copy, grid_of(copy).to_patient(place) @ (1.0, -2.0, 3.0), rtol=0, atol=1e-9)


def test_odd_ends_count_twice() -> None:
    levels = plan_levels((1, 129, 300), (1.0, 1.0, 1.0))
    assert [level.shape for level in levels] == [(1, 129, 300), (1, 65, 150), (1, 33, 75)]
    values = np.array([[[1, 3, 5, 5]]], dtype=np.uint8)
    assert halve(values, by=(1, 1, 2), method="mean").tolist() == [[[2, 5]]]
    assert halve(np.array([[[2**63, 2**63]]], dtype=np.uint64), by=(1, 1, 2), method="mean").tolist() == [[[2**63]]]
    assert halve(np.array([[[1, 0, 0, 0, 1, 1]]], dtype=bool), by=(1, 1, 2), method="majority").tolist() == [
        [[1, 0, 1]]
    ]
    assert halve(np.array([[[7, 9]]]), by=(1, 1, 2), method="stride").tolist() == [[[7]]]


def test_labels_keep_their_values_and_place(made: Made, tmp_path: Path) -> None:
    labels = made((2, 140, 150), "uint8")
    write_ome(labels, tmp_path / "v.ome.zarr", downsampling="stride")
    half = read_ome(tmp_path / "v.ome.zarr", level=1)["ct"]
    assert np.array_equal(half, labels[:, ::2, ::2])
    assert np.allclose(half.y, labels.y[::2])


def test_a_manifest_vouches_for_it(made: Made, tmp_path: Path) -> None:
    write_ome(made(), tmp_path / "v.ome.zarr")
    manifest = write_manifest(tmp_path / "v.ome.zarr", tmp_path / "v.manifest.json")
    assert verify_manifest(tmp_path / "v.ome.zarr", manifest) == ()


# Other people's


def foreign(
    path: Path, data: Any, axes: str, *, version: str = "0.5", unit: str | None = "micrometer", **more: Any
) -> Path:
    """Writes an image as other programs do, by the library alone."""
    kinds = {"t": "time", "c": "channel"}
    described = [
        {"name": a, "type": kinds.get(a, "space"), **({"unit": unit} if a in "zyx" and unit else {})} for a in axes
    ]
    steps = [{"type": "scale", "scale": [0.5] * len(axes)}, {"type": "translation", "translation": [10.0] * len(axes)}]
    image = {"axes": described, "datasets": [{"path": "0", "coordinateTransformations": steps}], **more}
    old = version == "0.4"
    group = zarr.create_group(path, zarr_format=2 if old else 3)
    group.create_array("0", data=data, chunks=tuple(max(1, n // 2) for n in data.shape))
    group.attrs.update(
        {"multiscales": [{**image, "version": version}]}
        if old
        else {"ome": {"version": version, "multiscales": [image]}}
    )
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["yx", "zyx", "cyx", "czyx", "tczyx", "tzyx"])
def test_other_people_s_images(tmp_path: Path, version: str, axes: str) -> None:
    shape = tuple(range(3, 3 + len(axes)))
    data = np.arange(np.prod(shape)).reshape(shape).astype(">u2")
    (back,) = read_ome(foreign(tmp_path / "i.zarr", data, axes, version=version)).data_vars.values()
    assert back.dims == tuple(dim for dim in "tczyx" if dim in axes or dim == "z")
    assert np.array_equal(back.values.reshape(shape), data)
    grid = grid_of(back)
    assert np.allclose(grid.spacing_mm[1:], 0.5e-3)
    assert np.allclose(grid.origin_mm[:2], 10e-3)
    assert grid.spacing_mm[0] == pytest.approx(0.5e-3 if "z" in axes else 1.0)
    assert back.attrs["ome"]["orientation"] == "not given, taken as LPS"


def test_transformations_of_all_levels_come_after(tmp_path: Path) -> None:
    more = {
        "coordinateTransformations": [
            {"type": "scale", "scale": [2.0, 3.0]},
            {"type": "translation", "translation": [1.0, 2.0]},
        ]
    }
    path = foreign(tmp_path / "i.zarr", np.zeros((3, 4), "u1"), "yx", unit="millimeter", **more)
    grid = grid_of(read_ome(path)["image"])
    assert grid.spacing_mm[1:] == (1.0, 1.5)
    assert grid.origin_mm[:2] == (32.0, 21.0)


def orient(path: Path, **said: str) -> Path:
    """Says orientations of axes, as RFC-4 has them."""
    group = zarr.open_group(path)
    ome = dict(group.attrs["ome"])  # type: ignore[call-overload]
    for axis in ome["multiscales"][0]["axes"]:
        if axis["name"] in said:
            axis["orientation"] = {"type": "anatomical", "value": said[axis["name"]]}
    group.attrs["ome"] = ome
    return path


def test_orientations_of_axes_are_honoured(tmp_path: Path) -> None:
    data = np.arange(60, dtype="u2").reshape(3, 4, 5)
    path = foreign(tmp_path / "i.zarr", data, "zyx", unit="millimeter")
    orient(path, x="left-to-right", y="posterior-to-anterior", z="inferior-to-superior")
    image = read_ome(path)["image"]
    assert np.array_equal(image.values, data)
    assert image.attrs["ome"]["orientation"] == "as its axes say"
    assert grid_of(image).to_patient((2, 3, 1)) == pytest.approx([-11.0, -11.5, 10.5])
    path = foreign(tmp_path / "s.zarr", data, "zyx", unit="millimeter")  # slices from right to left
    orient(path, z="right-to-left", y="superior-to-inferior", x="anterior-to-posterior")
    assert grid_of(read_ome(path)["image"]).to_patient((2, 3, 1)) == pytest.approx([10.5, 11.0, -11.5])
    path = foreign(tmp_path / "p.zarr", data[0], "yx", unit="millimeter")
    orient(path, y="anterior-to-posterior", x="left-to-right")
    assert grid_of(read_ome(path)["image"]).directions.tolist() == [[-1, 0, 0], [0, 1, 0], [0, 0, -1]]


@pytest.mark.parametrize(
    "said",
    [
        {"x": "left-to-right"},
        {"x": "left-to-right", "y": "right-to-left", "z": "inferior-to-superior"},
        {"x": "left-to-right", "y": "dorsal-to-ventral", "z": "inferior-to-superior"},
    ],
)
def test_orientations_that_say_too_little_are_refused(tmp_path: Path, said: dict[str, str]) -> None:
    path = orient(foreign(tmp_path / "i.zarr", np.zeros((3, 4, 5), "u2"), "zyx"), **said)
    with pytest.raises(ImagingError, match="orientations of axes that are not usable"):
        read_ome(path)


def test_a_missing_unit_is_asked_for(tmp_path: Path) -> None:
    path = foreign(tmp_path / "i.zarr", np.zeros((3, 4), "u1"), "yx", unit=None)
    with pytest.raises(ImagingError, match="without a unit of length") as caught:
        read_ome(path)
    assert len(caught.value.issues) == 2
    assert grid_of(read_ome(path, length_unit="um")["image"]).spacing_mm[2] == pytest.approx(0.5e-3)
    with pytest.raises(ImagingError, match="not a unit of length"):
        read_ome(path, length_unit="Gy")


def edited(path: Path, change: Callable[[Any], object]) -> Path:
    card = json.loads((path / "zarr.json").read_text())
    change(card["attributes"]["ome"])
    (path / "zarr.json").write_text(json.dumps(card))
    return path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda o: o.update(version="0.3"), "version that is not read; wanted 0.4 or 0.5, got 0.3"),
        (lambda o: o.update(multiscales=[]), "not an OME-Zarr image"),
        (lambda o: o["multiscales"][0].update(axes=["y", "x"]), "axes that are not an image's"),
        (lambda o: o["multiscales"][0]["axes"].reverse(), "in that order, got x, y"),
        (lambda o: o["multiscales"][0]["axes"][0].update(unit="furlong"), "without a unit of length"),
        (lambda o: o["multiscales"][0]["axes"][0].update(type="time"), "axis y of another type"),
        (lambda o: o["multiscales"][0].update(datasets=[]), "no such level"),
        (lambda o: o["multiscales"][0]["datasets"][0].update(path="../.."), "not in the image's folder"),
        (lambda o: o["multiscales"][0]["datasets"][0].update(path="9"), "cannot be opened"),
        (lambda o: o["multiscales"][0]["datasets"][0].pop("coordinateTransformations"), "a level without its scale"),
        (
            lambda o: o["multiscales"][0]["datasets"][0]["coordinateTransformations"][0].update(scale=[1, -1]),
            "not usable",
        ),
        (
            lambda o: o["multiscales"][0]["datasets"][0]["coordinateTransformations"][0].update(scale=[1, "x"]),
            "not usable",
        ),
        (
            lambda o: o["multiscales"][0]["datasets"][0]["coordinateTransformations"].append({"type": "rotation"}),
            "not usable",
        ),
    ],
)
def test_what_says_too_little_is_refused(tmp_path: Path, change: Any, says: str) -> None:
    path = edited(foreign(tmp_path / "i.zarr", np.zeros((3, 4), "u1"), "yx"), change)
    with pytest.raises(ImagingError, match=says):
        read_ome(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda b: b.update(format="braggbook.ome/2"), "another format; wanted braggbook.ome/1"),
        (lambda b: b.update(affine=[1.0]), "a card that is not what it should be"),
        (lambda b: b.update(dtype="nonsense"), "of another type than the card says"),
        (lambda b: b.update(coords={"t": {"dims": ["t"]}}), "do not fit its voxels"),
        (lambda b: b.update(coords={"t": {"dims": ["z"], "values": [1], "attrs": {}}}), "do not fit its voxels"),
        (lambda b: b.update(attrs={"x": {"$no": 1}}), "attributes that cannot be read"),
    ],
)
def test_a_damaged_card_of_ours_is_refused(made: Made, tmp_path: Path, change: Any, says: str) -> None:
    write_ome(made(), tmp_path / "v.ome.zarr")
    card = json.loads((tmp_path / "v.ome.zarr" / "zarr.json").read_text())
    change(card["attributes"]["braggbook"])
    (tmp_path / "v.ome.zarr" / "zarr.json").write_text(json.dumps(card))
    with pytest.raises(ImagingError, match=says):
        read_ome(tmp_path / "v.ome.zarr")


def test_other_stores_are_refused_with_what_reads_them(made: Made, tmp_path: Path) -> None:
    with pytest.raises(ImagingError, match="not an OME-Zarr image; got no such folder"):
        read_ome(tmp_path / "no")
    write_volume(made(), tmp_path / "v.zarr")
    with pytest.raises(ImagingError, match="next: read_volume"):
        read_ome(tmp_path / "v.zarr")
    write_ome(made(), tmp_path / "v.ome.zarr")
    with pytest.raises(ImagingError, match="next: read_ome"):
        read_volume(tmp_path / "v.ome.zarr")
    zarr.create_group(tmp_path / "collection")
    foreign(tmp_path / "collection" / "0", np.zeros((3, 4), "u1"), "yx")
    with pytest.raises(ImagingError, match=r"next: read_ome\('.*collection/0'\)"):
        read_ome(tmp_path / "collection")


def test_damage_names_the_array(tmp_path: Path) -> None:
    path = foreign(tmp_path / "i.zarr", np.ones((3, 4), "u2"), "yx")
    lazy = read_ome(path)["image"]
    for chunk in (path / "0" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"junk")
    with pytest.raises(ImagingError, match=r"a damaged part of an image.*|i.zarr/0"):
        lazy.compute()


def test_what_is_no_image_is_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(ImagingError, match="not an image"):
        write_ome(made(dtype="complex64"), tmp_path / "v")
    two = made().to_dataset().assign(b=made(name="b"))
    with pytest.raises(ImagingError, match=r'not one volume; wanted one, got ct, b\nnext: volume\["ct"\]'):
        write_ome(two, tmp_path / "v")
    write_ome(made(), tmp_path / "v")
    with pytest.raises(ImagingError, match="there is something already"):
        write_ome(made(), tmp_path / "v")
    assert [path.name for path in tmp_path.iterdir()] == ["v"]
