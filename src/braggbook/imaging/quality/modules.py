"""Which attributes every object of a SOP class must have: types 1 and 2 of the modules whose usage is mandatory.

The attributes are in the tables of :mod:`braggbook.imaging.deidentify`; they do not tell mandatory modules from
optional and conditional ones, so that those are named here.
Source: DICOM PS3.3 annex A, tables of modules (usage M, C, U).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources

# Usage C or U in all classes that have them; a module that is not asked for cannot be missed
_OPTIONAL = frozenset((
    "clinical-trial-subject", "clinical-trial-study", "clinical-trial-series", "patient-study", "synchronization",
    "general-acquisition", "general-reference", "enhanced-patient-orientation", "contrast-bolus",
    "enhanced-contrast-bolus", "device", "specimen", "multi-energy-ct-image", "enhanced-multi-energy-ct-acquisition",
    "overlay-plane", "voi-lut", "common-instance-reference", "approval", "rt-dvh", "rt-prescription",
    "rt-tolerance-tables", "rt-patient-setup", "rt-fraction-scheme", "rt-beams", "rt-brachy-application-setups",
    "frame-extraction", "pet-multi-gated-acquisition", "acquisition-context", "cardiac-synchronization",
    "respiratory-synchronization", "supplemental-palette-color-lookup-table", "palette-color-lookup-table",
    "icc-profile", "intervention", "display-shutter", "image-histogram", "x-ray-tomography-acquisition",
    "x-ray-acquisition-dose", "x-ray-generation", "x-ray-filtration", "x-ray-grid", "x-ray-collimator",
    "multi-resolution-pyramid", "microscope-slide-layer-tile-organization", "us-region-calibration", "modality-lut",
    "cine", "patient-orientation", "nm-detector", "mask", "bitmap-display-shutter", "multi-frame", "dx-positioning",
))  # fmt: skip
# Usage M in these only
_FRAME_OF_REFERENCE = frozenset(f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "4", "128", "481.2"))


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = resources.files("braggbook.imaging.deidentify").joinpath("data", name).read_text("utf-8")
    return iter(csv.DictReader(text.splitlines()))


@lru_cache(maxsize=1)
def _types() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for row in _rows("types_of_modules.csv"):
        found.setdefault(row["module"], {})[row["keyword"]] = row["type"]
    return found


@lru_cache(maxsize=1)
def _modules() -> dict[str, tuple[str, ...]]:
    return {row["sop_class_uid"]: tuple(row["modules"].split()) for row in _rows("modules_of_sop_classes.csv")}


@lru_cache(maxsize=64)
def required(sop_class_uid: str) -> dict[str, str] | None:
    """Returns keyword to type, ``1`` or ``2``, of one class; None when the tables do not have it."""
    if sop_class_uid not in _modules():
        return None
    found: dict[str, str] = {}
    for module in _modules()[sop_class_uid]:
        if module in _OPTIONAL or (module == "frame-of-reference" and sop_class_uid not in _FRAME_OF_REFERENCE):
            continue
        for keyword, kind in _types().get(module, {}).items():
            if kind in ("1", "2"):
                found[keyword] = min(kind, found.get(keyword, "9"))
    return found
