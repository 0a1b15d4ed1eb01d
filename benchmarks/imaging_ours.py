"""Braggbook's side of `benchmarks/imaging.py`: the same calls as the peers', with what a user would write.

`index` imports what it needs with the clock running; all other calls find their modules imported and their kernels
compiled, as the peers do.
"""
# ruff: noqa: PLC0415 - the index is timed with what it imports, and with nothing that another row needs

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imaging_serve import serve

if TYPE_CHECKING:
    from braggbook.imaging.geometry import Grid

KEPT: dict[str, Any] = {}
MB = 2**20


def index(*, folder: str, workers: int | None) -> int:
    from braggbook.imaging.dicom import index_dicom

    KEPT["index"] = index_dicom(folder, workers=workers)
    return len(KEPT["index"])


def index_digest() -> str:
    found = [
        [one.sop_instance_uid, one.series_uid, one.modality, float(one.tags["ImagePositionPatient"][2])]
        for one in KEPT["index"]
    ]
    return hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()


def open_store() -> None:
    import braggbook as bb
    from braggbook.imaging.store.zarr_store import read_volume, write_volume

    KEPT.update(read=bb.read_dicom, write=write_volume, open=read_volume)


def series_to_zarr(*, folder: str, target: str, workers: int | None) -> None:
    KEPT["write"](KEPT["read"](folder), target, overwrite=True, workers=workers)


def zarr_digest(*, target: str) -> str:
    import numpy as np

    return hashlib.sha256(np.ascontiguousarray(KEPT["open"](target).image.values, dtype="<i2")).hexdigest()


def shard_bytes(*, target: str) -> int:
    """Returns the bytes of one shard's voxels."""
    import numpy as np

    card = json.loads((Path(target) / "image" / "zarr.json").read_text())
    lengths = card["chunk_grid"]["configuration"]["chunk_shape"]
    return int(np.prod(lengths)) * np.dtype(card["data_type"]).itemsize


def memory(*, folder: str, target: str, workers: int) -> dict[str, float]:
    """Returns the memory of a conversion in MB: resident before it, and the most during it."""
    idle = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark starts anew
    series_to_zarr(folder=folder, target=target, workers=workers)
    return {"idle": idle, "peak": status("VmHWM")}


def status(name: str) -> float:
    """Returns a line of this process's status, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def open_plain(*, size: int, store: str | None) -> int:
    """Prepares bytes as a disk gets them: noise, or the very bytes of a store."""
    files = [path.read_bytes() for path in sorted(Path(store).rglob("*")) if path.is_file()] if store else []
    KEPT["bytes"] = b"".join(files) if store else os.urandom(MB) * (size // MB)
    return len(KEPT["bytes"])


def plain_write(*, target: str) -> None:
    with Path(target).open("wb") as stream:
        stream.write(KEPT["bytes"])
        stream.flush()
        os.fsync(stream.fileno())


def open_structures(*, structures: str, affine: list[list[float]], shape: tuple[int, int, int]) -> dict[str, int]:
    """Reads a structure set; returns names and numbers of the structures that have contours."""
    import numpy as np

    from braggbook.imaging.geometry import Grid
    from braggbook.imaging.structures import read_structures, structure_mask

    KEPT.update(mask_of=structure_mask, read_structures=read_structures, grid=Grid(tuple(shape), np.array(affine)))
    KEPT["structures"] = {one.name: one for one in read_structures(structures) if one.contours}
    return {name: one.number for name, one in KEPT["structures"].items()}


def mask(*, name: str) -> None:
    KEPT["mask"] = KEPT["mask_of"](KEPT["structures"][name], KEPT["grid"])


def save_mask(*, path: str) -> int:
    import numpy as np

    np.save(path, np.packbits(KEPT["mask"].values))
    return int(KEPT["mask"].values.sum())


def mask_files(*, images: str, structures: str, target: str) -> list[str]:
    """What plastimatch's command does: reads the image's grid and the contours, writes one uncompressed file each."""
    grid: Grid = grid_of_series(images)
    names = []
    for one in KEPT["read_structures"](structures):
        if one.contours:
            names.append(one.name)
            KEPT["mask_of"](one, grid).values.view("u1").tofile(Path(target) / f"{len(names)}.raw")
    return names


def grid_of_series(images: str) -> Grid:
    import braggbook as bb
    from braggbook.imaging.volumes import grid_of

    return grid_of(bb.read_dicom(images).image)


def open_dose(*, dose: str) -> dict[str, dict[str, float]]:
    """Reads a dose; returns what the planning system says of each structure, by number."""
    from braggbook.imaging.dose import dose_volume_histogram, read_dose, read_planned_dvhs

    KEPT.update(histogram_of=dose_volume_histogram, dose=read_dose(dose))
    planned = {one.roi_number: one.histogram for one in read_planned_dvhs(dose)}
    return {str(n): {"volume_cc": one.volume_cc, "mean_gy": one.mean_gy} for n, one in planned.items()}


def dvh(*, name: str) -> dict[str, float]:
    found = KEPT["histogram_of"](KEPT["dose"], KEPT["structures"][name])
    return {"volume_cc": found.histogram.volume_cc + found.outside_cc, "mean_gy": found.histogram.mean_gy}


def open_gamma(*, pair: str) -> dict[str, float]:
    """Reads a pair and compares a little of it, so that all is compiled; returns gamma's distance to closed forms."""
    import numpy as np

    from braggbook.imaging.dose import gamma_index
    from braggbook.imaging.geometry import Grid
    from braggbook.imaging.volumes import make_volume

    loaded = np.load(pair)
    KEPT.update(gamma_of=gamma_index, make_volume=make_volume)
    KEPT["dose_grid"] = Grid.from_axes(
        loaded["reference"].shape, spacing_mm=tuple(float(step) for step in loaded["spacing_mm"])
    )
    KEPT["doses"] = [
        make_volume(loaded[name], KEPT["dose_grid"], name="dose", units="Gy") for name in ("reference", "estimate")
    ]
    return {"uniform": uniform_error(), "ramp": ramp_error()}


def uniform_error() -> float:
    """Returns the largest error of gamma between doses that differ by 1 to 4 %: a third of it for 3 %."""
    import numpy as np

    grid = KEPT["dose_grid"].from_axes((9, 9, 9), spacing_mm=(2.0, 2.0, 2.0))
    one = KEPT["make_volume"](np.full((9, 9, 9), 2.0), grid, name="dose", units="Gy")
    return max(float(np.abs(KEPT["gamma_of"](one, one * (1 + n / 100)) - n / 3).max()) for n in range(1, 5))


def ramp_error() -> float:
    """Returns the largest error where a dose of 0.02 Gy/mm, 2 Gy at most, is shifted along it by 0.5, 1 and 2 mm."""
    import numpy as np

    grid = KEPT["dose_grid"].from_axes((9, 9, 101), spacing_mm=(1.0, 1.0, 1.0))
    ramp = np.broadcast_to(0.02 * np.arange(101.0), (9, 9, 101))
    one = KEPT["make_volume"](ramp, grid, name="dose", units="Gy")
    worst = 0.0
    for shift in (0.5, 1.0, 2.0):
        other = KEPT["make_volume"](ramp + 0.02 * shift, grid, name="dose", units="Gy")
        exact = (0.02 * shift / 0.06) / np.hypot(1, 0.02 * 3 / 0.06)
        found = KEPT["gamma_of"](one, other).values[2:-2, 2:-2, 20:-20]
        worst = max(worst, float(np.abs(found - exact).max()))
    return worst


def gamma(*, cutoff: float, maximum: float) -> int:
    """Gamma of the whole pair, 3 % global, 3 mm; returns how many points have one."""
    KEPT["gamma"] = KEPT["gamma_of"](*KEPT["doses"], cutoff_percent=cutoff, maximum=maximum)
    return int(KEPT["gamma"].notnull().sum())


def gamma_file(*, files: list[str], target: str, cutoff: float, maximum: float) -> None:
    """What plastimatch's command does: reads both doses from files, writes gamma to one."""
    import numpy as np

    grid = KEPT["dose_grid"]
    read = [np.fromfile(path, "<f4").reshape(grid.shape) for path in files]
    doses = [KEPT["make_volume"](values, grid, name="dose", units="Gy") for values in read]
    found = KEPT["gamma_of"](*doses, cutoff_percent=cutoff, maximum=maximum)
    found.values.astype("<f4").tofile(target)


def save_gamma(*, path: str) -> None:
    import numpy as np

    np.save(path, KEPT["gamma"].values)


CALLS = {
    call.__name__: call
    for call in (
        index, index_digest, open_store, series_to_zarr, zarr_digest, shard_bytes, memory, open_plain, plain_write,
        open_structures, mask, save_mask, mask_files, open_dose, dvh, open_gamma, gamma, gamma_file, save_gamma,
    )
}  # fmt: skip

if __name__ == "__main__":
    serve(CALLS)
