"""Medical images: from DICOM to volumes, masks, dose, histograms, gamma and quality, in patient coordinates.

A volume is an :class:`xarray.DataArray` with dims from ``t c z y x``, coordinates in mm, and the affine of its voxel
centres in the patient's frame (LPS). What most notebooks need is here at the door; the rooms have the rest:
``dicom`` (reading), ``structures`` (RTSTRUCT and SEG), ``dose`` (RTDOSE, histograms, gamma), ``store`` (Zarr, OME-Zarr,
NIfTI), ``quality``, ``deidentify``, and ``geometry``, ``volumes``, ``resample``, ``phantoms`` below them.

Names are fetched when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "geometry": ["Grid"],
    "volumes": ["grid_of", "make_volume"],
    "dicom": ["exposure_table", "index_dicom", "suv"],
    "reading": ["read_dicom", "read_volumes"],
    "structures": [
        "map_names",
        "read_segmentations",
        "read_structures",
        "segment_mask",
        "structure_mask",
        "structure_volume_cc",
        "write_segmentations",
        "write_structures",
    ],
    "dose": [
        "bed_map",
        "dose_to_grid",
        "dose_volume_histogram",
        "eqd2_map",
        "gamma_index",
        "pass_rate",
        "rbe_weighted_map",
        "read_dose",
        "read_planned_dvhs",
        "read_prescriptions",
        "sum_doses",
        "write_dose",
    ],
    "store.digest": ["digest"],
    "store.nifti": ["write_nifti"],
    "store.nifti_read": ["read_nifti"],
    "store.ome": ["write_ome"],
    "store.ome_read": ["read_ome"],
    "store.zarr_store": ["read_volume", "verify_volume", "write_volume"],
    "quality": ["assess"],
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}
_ROOMS = {
    "deidentify",
    "dicom",
    "dose",
    "geometry",
    "phantoms",
    "quality",
    "resample",
    "store",
    "structures",
    "volumes",
}

__all__ = [
    "Grid",
    "assess",
    "bed_map",
    "deidentify",
    "dicom",
    "digest",
    "dose",
    "dose_to_grid",
    "dose_volume_histogram",
    "eqd2_map",
    "exposure_table",
    "gamma_index",
    "geometry",
    "grid_of",
    "index_dicom",
    "make_volume",
    "map_names",
    "pass_rate",
    "phantoms",
    "quality",
    "rbe_weighted_map",
    "read_dicom",
    "read_dose",
    "read_nifti",
    "read_ome",
    "read_planned_dvhs",
    "read_prescriptions",
    "read_segmentations",
    "read_structures",
    "read_volume",
    "read_volumes",
    "resample",
    "segment_mask",
    "store",
    "structure_mask",
    "structure_volume_cc",
    "structures",
    "sum_doses",
    "suv",
    "verify_volume",
    "volumes",
    "write_dose",
    "write_nifti",
    "write_ome",
    "write_segmentations",
    "write_structures",
    "write_volume",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
