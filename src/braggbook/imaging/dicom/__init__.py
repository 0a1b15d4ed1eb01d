"""DICOM in: what is in a folder, and its series as volumes in patient coordinates.

Names are fetched when they are first used, so that a process which only reads headers starts at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from braggbook.imaging.dicom.index import Index, index_dicom
    from braggbook.imaging.dicom.instances import Instance, Patient, Series, Study
    from braggbook.imaging.dicom.read import read_dicom

__all__ = ["Index", "Instance", "Patient", "Series", "Study", "index_dicom", "read_dicom"]

_HOMES = {
    "Index": "index",
    "Instance": "instances",
    "Patient": "instances",
    "Series": "instances",
    "Study": "instances",
    "index_dicom": "index",
    "read_dicom": "read",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
