"""The peers' side of `benchmarks/imaging.py`; runs in their own environments, knows nothing of Braggbook.

Each function is called by name with the clock running; names that begin with `open_` only prepare. What a peer needs
again and again (files read, pixels decoded, modules imported) is kept from there on, so that no peer pays for it.
"""
# ruff: noqa: PLC0415 - each environment has one of the peers alone

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from imaging_serve import serve

KEPT: dict[str, Any] = {}


def versions(*, names: list[str]) -> dict[str, str]:
    return {name: version(name) for name in names}


def open_pydicom() -> None:
    import nibabel
    import pydicom
    import zarr

    KEPT.update(pydicom=pydicom, zarr=zarr, nibabel=nibabel)


def index(*, folder: str) -> int:
    """A plain loop over the files of a folder, which keeps what tells instances, series and slices apart."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            read = KEPT["pydicom"].dcmread(os.path.join(place, name), stop_before_pixels=True)  # noqa: PTH118
            z = float(read.ImagePositionPatient[2])
            found.append((str(read.SOPInstanceUID), str(read.SeriesInstanceUID), str(read.Modality), z))
    KEPT["index"] = found
    return len(found)


def index_digest() -> str:
    return hashlib.sha256(json.dumps(sorted(map(list, KEPT["index"]))).encode()).hexdigest()


def series_to_zarr(*, folder: str, target: str, synced: bool) -> None:
    """Reads every slice, sorts by position, rescales, and writes slice by slice in Zarr's own default coding."""
    read = [KEPT["pydicom"].dcmread(path) for path in sorted(Path(folder).iterdir())]
    read.sort(key=lambda one: float(one.ImagePositionPatient[2]))
    shape = (len(read), int(read[0].Rows), int(read[0].Columns))
    array = KEPT["zarr"].create_array(target, shape=shape, chunks=(1, *shape[1:]), dtype="int16", overwrite=True)
    for number, one in enumerate(read):
        array[number] = (one.pixel_array * float(one.RescaleSlope) + float(one.RescaleIntercept)).astype(np.int16)
    if synced:
        for path in Path(target).rglob("*"):
            sync(path)


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def zarr_digest(*, target: str) -> str:
    return digest(KEPT["zarr"].open(target, mode="r")[:])


def series_to_nifti(*, program: str, folder: str, target: str) -> list[int]:
    """Has dcm2niix write an uncompressed NIfTI without a side-car, and reads its header."""
    Path(target).mkdir()
    words = [program, "-z", "n", "-b", "n", "-f", "volume", "-o", target, folder]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, timeout=600)
    image = KEPT["nibabel"].load(nifti_of(target))
    return [*map(int, image.shape), *image.affine.shape]


def nifti_of(target: str) -> Path:
    (path,) = Path(target).glob("*.nii")
    return path


def nifti_digest(*, target: str) -> str:
    """Returns the digest of the voxels in DICOM's order: dcm2niix turns the rows round."""
    image = KEPT["nibabel"].load(nifti_of(target))
    return digest(np.asarray(image.dataobj).T[:, ::-1].astype(np.int16))


def digest(voxels: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(voxels, dtype="<i2")).hexdigest()


def open_rt_utils(*, images: str, structures: str) -> list[str]:
    from rt_utils import RTStructBuilder

    KEPT["structures"] = RTStructBuilder.create_from(images, structures)
    return list(KEPT["structures"].get_roi_names())


def rt_utils_mask(*, name: str) -> None:
    KEPT["mask"] = KEPT["structures"].get_roi_mask_by_name(name)


def open_dicompyler(*, structures: str, dose: str) -> None:
    import pydicom
    from dicompylercore import dicomparser, dvhcalc

    KEPT.update(dvhcalc=dvhcalc, structures=pydicom.dcmread(structures), dose=pydicom.dcmread(dose))
    KEPT["decoded"] = KEPT["dose"].pixel_array
    KEPT["parsed"] = dicomparser.DicomParser(structures)
    KEPT["numbers"] = {each["name"]: number for number, each in KEPT["parsed"].GetStructures().items()}


def dvh(*, number: int) -> dict[str, float]:
    """The histogram of one structure, from datasets that are read and a dose that is decoded."""
    found = KEPT["dvhcalc"].get_dvh(KEPT["structures"], KEPT["dose"], number)
    return {"volume_cc": float(found.volume), "mean_gy": float(found.mean)}


def open_grid(*, affine: list[list[float]], shape: list[int]) -> None:
    """Prepares the points that dicompyler-core asks Matplotlib about: all pixel centres of a plane."""
    slices, rows, columns = shape
    x = affine[0][3] + affine[0][0] * np.arange(columns)
    y = affine[1][3] + affine[1][1] * np.arange(rows)
    across, down = np.meshgrid(x, y)
    KEPT["lut"] = {"lut": (x, y), "x_lut_index": 0}
    KEPT["points"] = np.vstack((across.flatten(), down.flatten())).T
    KEPT["z"] = (affine[2][3], affine[2][2], slices)


def open_planes(*, name: str) -> int:
    """Prepares the contours of a structure by plane, as the histogram of dicompyler-core gets them."""
    KEPT["planes"] = KEPT["parsed"].GetStructureCoordinates(KEPT["numbers"][name])
    return sum(len(plane) for plane in KEPT["planes"].values())


def dicompyler_mask() -> None:
    """Fills planes as `dvhcalc.calculate_plane_histogram` does, with the function that it calls."""
    first, step, slices = KEPT["z"]
    rows, columns = (len(axis) for axis in KEPT["lut"]["lut"][::-1])
    mask = np.zeros((slices, rows, columns), dtype=bool)
    for z, plane in KEPT["planes"].items():
        grid = np.zeros((rows, columns), dtype=np.uint8)
        for contour in plane:
            points = [point[0:2] for point in contour["data"]]
            inside = KEPT["dvhcalc"].get_contour_mask(KEPT["lut"], None, KEPT["points"], points)
            grid = np.logical_xor(inside.astype(np.uint8), grid).astype(np.bool_)
        mask[round((float(z) - first) / step)] = grid
    KEPT["mask"] = mask


def save_mask(*, path: str, order: str) -> int:
    """Saves the last mask in the order z, y, x."""
    mask = KEPT["mask"] if order == "zyx" else np.moveaxis(KEPT["mask"], -1, 0)
    np.save(path, np.packbits(mask))
    return int(mask.sum())


def open_gamma(*, pair: str) -> None:
    import pymedphys

    logging.disable(logging.CRITICAL)
    loaded = np.load(pair)
    KEPT["pymedphys"] = pymedphys
    KEPT["doses"] = loaded["reference"].astype(float), loaded["estimate"].astype(float)
    KEPT["axes"] = tuple(step * np.arange(n) for step, n in zip(loaded["spacing_mm"], KEPT["doses"][0].shape))  # noqa: B905


def gamma_subset(*, points: int, seed: int, cutoff: float, maximum: float) -> int:
    """The peer's own way to look at some points of a large pair."""
    np.random.seed(seed)  # noqa: NPY002 - what the peer draws with
    axes, (reference, estimate) = KEPT["axes"], KEPT["doses"]
    found = KEPT["pymedphys"].gamma(
        axes, reference, axes, estimate, 3, 3, cutoff, max_gamma=maximum, random_subset=points
    )
    return int(np.isfinite(found).sum())


def gamma_blocks(*, corners: list[list[int]], side: int, fraction: int, maximum: float) -> list[float]:
    """Gamma at all points of blocks; returns that of their first points."""
    axes, (reference, estimate) = KEPT["axes"], KEPT["doses"]
    norm, found = float(reference.max()), []
    for corner in corners:
        block = tuple(slice(i, i + side) for i in corner)
        place = tuple(axis[part] for axis, part in zip(axes, block))  # noqa: B905
        settings = {"interp_fraction": fraction, "max_gamma": maximum, "global_normalisation": norm}
        gamma = KEPT["pymedphys"].gamma(place, reference[block], axes, estimate, 3, 3, 0, **settings)
        found.append(float(gamma.ravel()[0]))
    return found


CALLS = {
    call.__name__: call
    for call in (
        versions, open_pydicom, index, index_digest, series_to_zarr, zarr_digest, series_to_nifti, nifti_digest,
        open_rt_utils, rt_utils_mask, open_dicompyler, dvh, open_grid, open_planes, dicompyler_mask, save_mask,
        open_gamma, gamma_subset, gamma_blocks,
    )
}  # fmt: skip

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve(CALLS)
