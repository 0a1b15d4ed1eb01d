"""DICOM in: what is in a folder, its images as volumes in patient coordinates, uptake and radiation exposure.

:func:`braggbook.imaging.read_dicom`, one room above, reads every kind of series.

Names are fetched when they are first used, so that a process which only reads headers starts at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from braggbook.imaging.dicom.exposure import Exposure, effective_dose, exposure_table, read_exposure
    from braggbook.imaging.dicom.index import Index, index_dicom
    from braggbook.imaging.dicom.instances import Instance, Patient, Series, Study
    from braggbook.imaging.dicom.pet import suv

__all__ = [
    "Exposure",
    "Index",
    "Instance",
    "Patient",
    "Series",
    "Study",
    "effective_dose",
    "exposure_table",
    "index_dicom",
    "read_exposure",
    "suv",
]

_NAMES = {
    "exposure": ("Exposure", "effective_dose", "exposure_table", "read_exposure"),
    "index": ("Index", "index_dicom"),
    "instances": ("Instance", "Patient", "Series", "Study"),
    "pet": ("suv",),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
