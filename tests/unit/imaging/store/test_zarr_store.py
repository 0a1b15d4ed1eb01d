"""The store: what goes in comes out, lazily; what is damaged says so; nothing half-written is ever seen."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask.array as da
import google_crc32c
import numpy as np
import psutil
import pytest
import xarray as xr
import zarr

from braggbook.errors import ImagingError, StorageError
from braggbook.imaging.geometry import Grid
from braggbook.imaging.store.layout import SHARD_BYTES, plan_layout
from braggbook.imaging.store.zarr_store import read_volume, verify_volume, write_volume
from braggbook.imaging.volumes import grid_of, make_volume
from braggbook.progress import Callback

Made = Callable[..., xr.DataArray]
EXAMPLES = Path(__file__).parents[3] / "formats" / "volume"
DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
FLOATS = ["float16", "float32", "float64", "complex64", "complex128"]


def bits(array: Any) -> bytes:
    return np.ascontiguousarray(array).tobytes()


@pytest.mark.parametrize("dtype", [*DTYPES, *FLOATS, ">i2", ">f8"])
def test_every_type_comes_back(made: Made, tmp_path: Path, dtype: str) -> None:
    volume = made(dtype=dtype)
    back = read_volume(write_volume(volume, tmp_path / "v.zarr"))["ct"]
    assert back.chunks is not None
    assert back.dtype == volume.dtype.newbyteorder("=")
    xr.testing.assert_identical(back.compute(), volume)


@pytest.mark.parametrize("shape", [(5, 6, 7), (2, 5, 6, 7), (2, 3, 5, 6, 7), (1, 1, 1), (20, 200, 201)])
@pytest.mark.parametrize("lazy", [False, True])
def test_every_shape_comes_back_and_zarr_reads_the_same(
    made: Made, tmp_path: Path, shape: tuple[int, ...], lazy: bool
) -> None:
    volume = made(shape)
    given = volume.chunk(dict.fromkeys(volume.dims, 4) if max(shape) < 10 else {"z": 7}) if lazy else volume
    write_volume(given, tmp_path / "v.zarr")
    xr.testing.assert_identical(read_volume(tmp_path / "v.zarr")["ct"].compute(), volume)
    peer = zarr.open_group(tmp_path / "v.zarr", mode="r")["ct"]  # the reference implementation
    assert np.array_equal(peer[:], volume.values)


def test_xarray_opens_it_without_us(made: Made, tmp_path: Path) -> None:
    volume = made((2, 5, 6, 7), coords={"t": ("t", [0.0, 1.5], {"units": "s"})})
    write_volume(volume, tmp_path / "v.zarr")
    with xr.open_zarr(tmp_path / "v.zarr", consolidated=False) as opened:
        xr.testing.assert_equal(opened["ct"].compute(), volume)
        assert opened["ct"].attrs["affine"] == volume.attrs["affine"]
        assert opened["t"].attrs["units"] == "s"


def test_bits_that_compare_equal_stay_apart(tmp_path: Path) -> None:
    grid = Grid.from_axes((1, 2, 4), spacing_mm=(1, 1, 1))
    odd = np.array([[[0.0, -0.0, np.nan, np.inf], [5e-324, -np.inf, -np.nan, 1.0]]])
    write_volume(make_volume(odd, grid, name="a", units="1"), tmp_path / "v.zarr")
    assert bits(read_volume(tmp_path / "v.zarr")["a"]) == bits(odd)
    minus = np.full((1, 2, 4), -0.0)
    write_volume(make_volume(minus, grid, name="a", units="1"), tmp_path / "m.zarr")
    assert bits(read_volume(tmp_path / "m.zarr")["a"]) == bits(minus)


def test_the_affine_comes_back_bit_for_bit(made: Made, tmp_path: Path, oblique: Grid) -> None:
    volume = made(grid=oblique)
    back = read_volume(write_volume(volume, tmp_path / "v.zarr"))["ct"]
    assert bits(grid_of(back).affine) == bits(oblique.affine)
    assert all(bits(back[axis]) == bits(volume[axis]) for axis in "zyx")


def test_a_dataset_with_all_that_hangs_on_it(made: Made, tmp_path: Path) -> None:
    dataset = made((2, 5, 6, 7), coords={"t": ("t", [0.5, np.nan])}).to_dataset()
    dataset["mask"] = made(dtype="bool", name="mask", units="1")
    dataset["slope"] = ("z", np.linspace(0.1, 0.5, 5))
    dataset["number"] = 3.5
    texts = ["a", "é", "", "longer", "z"]
    when = np.array(["2024-01-01", "NaT"], dtype="M8[ns]")
    dataset = dataset.assign_coords(uid=("z", texts), when=("t", when), wait=("t", np.array([1, 2], dtype="m8[s]")))
    dataset.attrs = {"tags": {"PatientPosition": "HFS", "window": (40, 400)}, "nan": float("nan"), "none": None}
    back = read_volume(write_volume(dataset, tmp_path / "v.zarr")).compute()
    xr.testing.assert_identical(back, dataset)
    assert type(back.attrs["tags"]["window"]) is tuple
    assert back["number"].shape == ()
    assert set(back.coords) == set(dataset.coords)


def test_texts_of_other_kinds_come_back_as_texts(made: Made, tmp_path: Path) -> None:
    volume = made().assign_coords(uid=("z", np.array(list("abcde"), dtype=object)))
    back = read_volume(write_volume(volume, tmp_path / "v.zarr"))
    assert back["uid"].values.tolist() == list("abcde")


def test_what_is_cut_out_of_a_volume_is_a_volume(made: Made, tmp_path: Path) -> None:
    volume = made().isel(z=slice(1, 4), x=slice(None, None, 2))
    back = read_volume(write_volume(volume, tmp_path / "v.zarr"))["ct"]
    assert grid_of(back).is_same(grid_of(volume))


def test_reading_a_part_reads_only_its_chunks(made: Made, tmp_path: Path) -> None:
    """Every chunk but one is damaged in turn: what lies in the others is still read, what lies in it is not."""
    volume = made((6, 200, 201), "float64")
    write_volume(volume, tmp_path / "v.zarr")
    layout = plan_layout(volume.shape, 8)
    assert layout.chunks_per_shard == (1, 2, 2)
    shard = tmp_path / "v.zarr" / "ct" / "c" / "0" / "0" / "0"
    whole = shard.read_bytes()
    lazy = read_volume(tmp_path / "v.zarr")["ct"]
    parts = [np.s_[3, 5:90:3, 101:180], np.s_[:, 17, 150], np.s_[1:5, 120:199:7, 8], np.s_[2, 199, -1]]
    index = np.frombuffer(whole[-68:-4], dtype="<u8").reshape(4, 2)
    for number, (offset, length) in enumerate(index.tolist()):
        middle = offset + length // 2
        shard.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        for quarter, at in ((1, parts[0]), (1, parts[1]), (2, parts[2]), (3, parts[3])):
            if quarter == number:
                with pytest.raises(ImagingError, match="damaged"):
                    lazy[at].compute()
            else:
                assert np.array_equal(lazy[at].compute(), volume[at])


@pytest.mark.parametrize(
    "key",
    [
        np.s_[2],
        np.s_[-1, :, 3],
        np.s_[..., 3],
        np.s_[1:4, ::2, ::-1],
        np.s_[3:3],
        np.s_[:, [0, 2, 5]],
        np.s_[4:0:-2, 1:100],
        np.s_[[4, -5, 4]],
        np.s_[1, [True, False, True, False, False, True], 2:4],
        np.s_[2:4, [], 1],
        np.s_[1:5:2, ::-2],
    ],
)
def test_every_index_is_numpy_s(made: Made, tmp_path: Path, key: Any) -> None:
    volume = made()
    lazy = read_volume(write_volume(volume, tmp_path / "v.zarr"))["ct"]
    assert np.array_equal(lazy.data[key].compute(), volume.values[key])


def test_any_number_of_workers_writes_the_same_files(made: Made, tmp_path: Path) -> None:
    volume = made((5, 6, 130, 140))
    for workers in (1, 3):
        write_volume(volume, tmp_path / f"{workers}.zarr", workers=workers)
    assert not [
        path
        for path in (tmp_path / "1.zarr").rglob("*")
        if path.is_file()
        and path.read_bytes() != (tmp_path / "3.zarr" / path.relative_to(tmp_path / "1.zarr")).read_bytes()
    ]


def test_progress_is_told(made: Made, tmp_path: Path) -> None:
    told: list[tuple[str, int, int, str]] = []
    write_volume(made(), tmp_path / "v.zarr", progress=Callback(lambda *step: told.append(step)))
    assert [step[1] for step in told] == list(range(5))  # the volume and three coordinates
    assert {step[2] for step in told} == {4}


# Refusals before anything is written


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda v: v.values, "not a volume; wanted an xarray Dataset or DataArray"),
        (lambda v: xr.Dataset({"a": ("n", [1])}), "not a volume; wanted a variable with z, y and x"),
        (lambda v: v.drop_vars("z"), "no z"),
        (lambda v: v.drop_attrs(), "a volume without its affine"),
        (lambda v: v.assign_coords(z=[0.0, 1, 2, 3, 9]), "uneven"),
        (lambda v: v.assign_attrs(bad=object()), "attributes that cannot be stored"),
        (lambda v: v.isel(z=slice(0)), "shape"),
        (lambda v: v.to_dataset().assign({"a/b": 1}), "not the name of an array"),
        (lambda v: v.to_dataset().assign({".a": 1}), "not the name of an array"),
        (lambda v: v.to_dataset().assign(a=("q", np.array([{}]))), "an array of objects"),
        (lambda v: v.to_dataset().assign_attrs(braggbook=1), 'the attribute "braggbook" is taken'),
    ],
)
def test_what_cannot_be_stored_is_refused(made: Made, tmp_path: Path, change: Any, says: str) -> None:
    with pytest.raises(ImagingError, match=says):
        write_volume(change(made()), tmp_path / "v.zarr")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_replaced_unless_asked(made: Made, tmp_path: Path) -> None:
    target = tmp_path / "v.zarr"
    write_volume(made(), target)
    with pytest.raises(ImagingError, match=r"there is something already; wanted a new name, or overwrite=True"):
        write_volume(made(), target)
    write_volume(made(dtype="float32"), target, overwrite=True)
    assert read_volume(target)["ct"].dtype == np.float32
    assert [path.name for path in tmp_path.iterdir()] == ["v.zarr"]


def test_only_a_store_is_ever_replaced(made: Made, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years")
    (tmp_path / "file").write_text("x")
    write_volume(made(), tmp_path / "v.zarr")
    (tmp_path / "link").symlink_to(tmp_path / "v.zarr")
    for name in ("home", "file", "link"):
        with pytest.raises(ImagingError, match="not of this kind"):
            write_volume(made(), tmp_path / name, overwrite=True)
    assert (tmp_path / "home" / "thesis.tex").read_text() == "years"
    (tmp_path / "empty").mkdir()
    write_volume(made(), tmp_path / "empty")


def test_a_store_may_be_written_over_itself(made: Made, tmp_path: Path) -> None:
    volume = made()
    write_volume(volume, tmp_path / "v.zarr")
    write_volume(read_volume(tmp_path / "v.zarr"), tmp_path / "v.zarr", overwrite=True)
    xr.testing.assert_identical(read_volume(tmp_path / "v.zarr")["ct"].compute(), volume)


# Failures while writing


def divide_by_zero(block: Any) -> Any:
    return block[:1, :1, :1].item() // 0


def test_a_source_that_fails_leaves_what_was_there(made: Made, tmp_path: Path) -> None:
    def fail(block: Any) -> Any:
        raise OSError("the archive is gone")

    volume = made()
    write_volume(volume, tmp_path / "v.zarr")
    broken = volume.copy(
        data=da.map_blocks(fail, da.zeros((5, 6, 7), chunks=2), dtype="int16", meta=np.empty((0, 0, 0)))
    )
    with pytest.raises(OSError, match="the archive is gone"):  # its own error: the disk is not to blame
        write_volume(broken, tmp_path / "v.zarr", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["v.zarr"]
    xr.testing.assert_identical(read_volume(tmp_path / "v.zarr")["ct"].compute(), volume)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Makes the system refuse larger files, as a full disk does (Python ignores SIGXFSZ, so it is an error)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_said_and_leaves_nothing(made: Made, tmp_path: Path) -> None:
    volume = made((20, 64, 64), "float64")
    with files_of_at_most(100_000), pytest.raises(StorageError, match="the disk is full") as caught:
        write_volume(volume, tmp_path / "v.zarr")
    assert caught.value.next_command.startswith("df -h")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written_is_said(made: Made, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot write"):
        write_volume(made(), tmp_path / "file" / "v.zarr")


def test_what_killed_writers_left_is_taken_away_and_put_back(made: Made, tmp_path: Path) -> None:
    volume = made()
    write_volume(volume, tmp_path / "v.zarr")
    (tmp_path / ".v.zarr.abc.part" / "ct").mkdir(parents=True)
    (tmp_path / "v.zarr").rename(tmp_path / ".v.zarr.def.old")  # killed between its two renames
    write_volume(made(dtype="float32"), tmp_path / "other.zarr")  # another's rubbish is not touched
    assert (tmp_path / ".v.zarr.abc.part").exists()
    broken = volume.copy(data=da.map_blocks(divide_by_zero, volume.chunk().data, dtype="int16"))
    with pytest.raises(ZeroDivisionError):
        write_volume(broken, tmp_path / "v.zarr")
    xr.testing.assert_identical(read_volume(tmp_path / "v.zarr")["ct"].compute(), volume)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.zarr", "v.zarr"]


@pytest.mark.full
def test_a_writer_killed_at_any_time_shows_nothing_half_written(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import sys, time, numpy as np, dask.array as da
        from braggbook.imaging.geometry import Grid
        from braggbook.imaging.volumes import make_volume
        from braggbook.imaging.store.zarr_store import write_volume
        def slow(block):
            time.sleep(0.02)
            return block
        data = da.map_blocks(slow, da.full((60, 512, 512), 7, chunks=(2, 512, 512), dtype="int16"), dtype="int16")
        grid = Grid.from_axes(data.shape, spacing_mm=(1, 1, 1))
        print("begin", flush=True)
        write_volume(make_volume(data, grid, name="ct", units="HU"), sys.argv[1], workers=1)
        """
    )
    target = tmp_path / "v.zarr"
    for delay in (0.0, 0.05, 0.2, 0.4):
        command = [sys.executable, "-c", script, str(target)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "begin\n"
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            process.wait(60)
        assert not target.exists()
    subprocess.run([sys.executable, "-c", script, str(target)], check=True, timeout=120)
    assert [path.name for path in tmp_path.iterdir()] == ["v.zarr"]
    assert verify_volume(target) == ()


# Damage


@pytest.fixture
def stored(made: Made, tmp_path: Path) -> Path:
    return write_volume(made(attrs={"a": 1.5}), tmp_path / "v.zarr")


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: None, r"not a store of volumes; wanted a folder that write_volume wrote, got no such folder"),
        (lambda p: p.mkdir(), "no zarr.json in it"),
        (lambda p: p.write_text("x"), "not a store of volumes"),
        (lambda p: (p.mkdir(), (p / "zarr.json").write_text("{")), "not JSON"),
        (lambda p: (p.mkdir(), (p / "zarr.json").write_text("[1]")), "not a card of Zarr"),
        (lambda p: (p.mkdir(), (p / "zarr.json").write_text("[" * 10**5)), "not JSON"),
        (zarr.create_group, "a Zarr store, but not one of ours"),
        (lambda p: zarr.create_array(p, shape=(2,), dtype="i2"), "a Zarr store, but not one of ours"),
    ],
)
def test_what_is_no_store_is_refused(tmp_path: Path, make: Any, says: str) -> None:
    make(tmp_path / "x")
    for read in (read_volume, verify_volume):
        with pytest.raises(ImagingError, match=says):
            read(tmp_path / "x")


def test_another_version_is_refused(stored: Path) -> None:
    edit(stored / "zarr.json", lambda card: card["attributes"]["braggbook"].update(format="braggbook.volume/2"))
    with pytest.raises(ImagingError, match=r"another format; wanted braggbook.volume/1, got braggbook.volume/2"):
        read_volume(stored)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c["attributes"]["braggbook"].pop("variables"), "'variables' is missing"),
        (lambda c: c["attributes"]["braggbook"]["variables"]["ct"].update(role="x"), "role"),
        (lambda c: c["attributes"]["braggbook"]["files"].update({"../../x": {}}), "files"),
        (lambda c: c["attributes"]["braggbook"]["variables"].update({"../x": {}}), "variables"),
        (lambda c: c["attributes"].update(a={"$no": 1}), "attributes that cannot be read"),
        (
            lambda c: c["attributes"]["braggbook"]["variables"]["ct"].update(dims=["z", "y", "q"]),
            "not what the store says",
        ),
        (lambda c: c["attributes"]["braggbook"]["variables"]["z"].update(dtype="nonsense"), "not what the store says"),
        (
            lambda c: c["attributes"]["braggbook"]["variables"].update(
                q=c["attributes"]["braggbook"]["variables"]["z"]
            ),
            "q",
        ),
    ],
)
def test_a_damaged_card_is_refused(stored: Path, change: Any, says: str) -> None:
    edit(stored / "zarr.json", change)
    with pytest.raises(ImagingError, match=says):
        read_volume(stored)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(shape=[5, 6, 8]), None),
        (lambda c: c.update(data_type="float32"), "changed|not what"),
        (lambda c: c.update(shape=[10**6] * 3), "not what the store says"),
        (lambda c: c.update(shape=[5, 6]), "not an array of ours"),
        (lambda c: c.update(codecs=[{"name": "bytes"}]), "not an array of ours"),
        (lambda c: c.update(fill_value=3), "an array of ours that was changed"),
        (lambda c: c["chunk_grid"]["configuration"].update(chunk_shape=[5, 6, 8]), "not an array of ours"),
        (
            lambda c: (
                c["chunk_grid"]["configuration"].update(chunk_shape=[10**4] * 3),
                c["codecs"][0]["configuration"].update(chunk_shape=[10**4] * 3),
            ),
            "chunks that are too large",
        ),
        (lambda c: c.pop("attributes"), "not an array of ours"),
    ],
)
def test_a_changed_array_is_never_read_as_other_numbers(stored: Path, change: Any, says: str | None) -> None:
    edit(stored / "ct" / "zarr.json", change)
    with pytest.raises(ImagingError, match="a store that is not whole|" + (says or "x")):
        read_volume(stored).load()


def test_a_missing_or_shortened_file_is_named_at_once(stored: Path) -> None:
    shard = stored / "ct" / "c" / "0" / "0" / "0"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1])
    with pytest.raises(ImagingError, match=r"ct/c/0/0/0: a file has another size; wanted \d+ bytes, got \d+ bytes"):
        read_volume(stored)
    shard.unlink()
    with pytest.raises(ImagingError, match="ct/c/0/0/0: a file is missing"):
        read_volume(stored)


def test_no_flipped_bit_is_read_as_another_number(stored: Path, made: Made) -> None:
    shard = stored / "ct" / "c" / "0" / "0" / "0"
    whole = shard.read_bytes()
    lazy, truth = read_volume(stored)["ct"], made().values
    for position in range(0, len(whole), 11):
        shard.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        with pytest.raises(ImagingError, match="damaged") as caught:
            lazy.compute()
        assert str(shard) in str(caught.value)
    shard.write_bytes(whole)
    assert np.array_equal(lazy, truth)


def test_a_chunk_that_claims_to_be_larger_is_not_unpacked(stored: Path) -> None:
    """Whoever makes such a file on purpose fits the checksum too."""
    shard = stored / "ct" / "c" / "0" / "0" / "0"
    whole = bytearray(shard.read_bytes())
    offset, length = struct.unpack("<QQ", whole[-20:-4])
    struct.pack_into("<I", whole, offset + 4, 2**31 - 1)
    body = bytes(whole[offset : offset + length - 4])
    struct.pack_into("<I", whole, offset + length - 4, google_crc32c.value(body))
    shard.write_bytes(whole)
    with pytest.raises(ImagingError, match="a chunk of another size; wanted 420 bytes, got 2147483647"):
        read_volume(stored).load()


def test_a_file_that_shrinks_after_opening_is_said(stored: Path) -> None:
    lazy = read_volume(stored)["ct"]
    shard = stored / "ct" / "c" / "0" / "0" / "0"
    shard.write_bytes(b"x")
    with pytest.raises(ImagingError, match="cut off"):
        lazy.compute()
    shutil.rmtree(stored)
    with pytest.raises(ImagingError, match="cannot read a file of the store; got No such file"):
        lazy.compute()


def test_verify_names_every_file_that_is_not_what_it_was(stored: Path) -> None:
    assert verify_volume(stored) == ()
    shard = stored / "ct" / "c" / "0" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    (stored / "z" / "zarr.json").unlink()
    (stored / "ct" / "extra").write_text("x")
    edit(stored / "zarr.json", lambda card: card["attributes"].update(a=2.5))
    found = [(issue.what, issue.where.removeprefix(f"{stored}/")) for issue in verify_volume(stored)]
    assert found == [
        ("a file differs", "ct/c/0/0/0"),
        ("a file is extra", "ct/extra"),
        ("a file is missing", "z/zarr.json"),
        ("attributes of the store were changed", "zarr.json"),
    ]


def test_a_store_of_the_first_version_is_read_for_ever() -> None:
    archived = EXAMPLES / "good" / "tiny.zarr"
    back = read_volume(archived)
    assert verify_volume(archived) == ()
    assert back["ct"].values.tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, -1000]]]
    assert back["ct"].attrs["affine"][:4] == [0.1, 0.0, 0.0, -0.3]
    assert back["uid"].values.tolist() == ["1.2.3", "1.2.4"]
    assert back.attrs == {"tags": {"Modality": "CT", "window": (40, 400)}}


@pytest.mark.parametrize("card", sorted((EXAMPLES / "bad").glob("*.json")), ids=lambda path: path.stem)
def test_a_bad_card_says_all_that_is_wrong(tmp_path: Path, card: Path) -> None:
    store = shutil.copytree(EXAMPLES / "good" / "tiny.zarr", tmp_path / "v.zarr")
    shutil.copy(card, store / "zarr.json")
    with pytest.raises(ImagingError) as caught:
        read_volume(store)
    text = str(caught.value).replace(str(store), "<store>")
    assert text == card.with_suffix(".txt").read_text(encoding="utf-8").rstrip("\n")


# Memory


@pytest.mark.full
@pytest.mark.parametrize("workers", [1, 2])
def test_a_volume_larger_than_what_it_may_hold(tmp_path: Path, workers: int) -> None:
    """Voxels that do not compress, thirty shards of them; memory may grow by less than two shards a worker."""

    def plane(block_info: Any = None) -> Any:
        place = block_info[None]["array-location"]
        return np.random.default_rng(place[0][0]).integers(-32768, 32767, (1, 512, 512), dtype=np.int16)

    count = 62 * 30
    data = da.map_blocks(
        plane, chunks=((1,) * count, (512,), (512,)), dtype=np.int16, meta=np.empty((0, 0, 0), np.int16)
    )
    volume = make_volume(data, Grid.from_axes(data.shape, spacing_mm=(1, 1, 1)), name="ct", units="HU")
    write_volume(volume[:2], tmp_path / "first.zarr")  # libraries are loaded
    process, peak = psutil.Process(), 0

    def note(*_: object) -> None:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)

    idle = process.memory_info().rss
    with sampled(note):
        write_volume(volume, tmp_path / "v.zarr", workers=workers)
    assert peak - idle < 2 * SHARD_BYTES * workers
    lazy = read_volume(tmp_path / "v.zarr")["ct"]
    for z in (0, 61, 62, count - 1):
        assert np.array_equal(lazy[z], np.random.default_rng(z).integers(-32768, 32767, (512, 512), dtype=np.int16))


@contextmanager
def sampled(note: Callable[[], None]) -> Iterator[None]:
    import threading

    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.002):
            note()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_files_have_the_usual_rights(stored: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    assert stored.stat().st_mode & 0o777 == 0o777 & ~mask
    assert (stored / "zarr.json").stat().st_mode & 0o777 == 0o666 & ~mask
