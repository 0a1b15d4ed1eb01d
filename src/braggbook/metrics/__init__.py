"""Metrics: pure functions ``metric(reference, estimate, *, ...)``, and definitions that say exactly what is meant.

In a scoring notebook::

    import braggbook as bb

    bb.metrics.score("hd95.voxel.directed_max.linear@1", reference, estimate, spacing_mm=(3, 1, 1))
    bb.metrics.scores({"dice@1": {}, "nsd.surfel@1": {"tolerance_mm": 2}}, reference, estimate)
    bb.metrics.score_cases("absolute_error@1", truth.set_index("case").dose_gy, said.set_index("case").dose_gy)

Reference comes first, estimate second. A function raises where a metric has no value; a definition
(:mod:`braggbook.metrics.definitions`) says what a challenge takes instead, so that no score is ever NaN. ``braggbook
list metric`` shows all ids; docs/reference/metrics.md says which to choose.

Names are fetched when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "agreement": ["Limits", "concordance", "limits_of_agreement"],
    "definitions": ["Definition", "EmptyPolicy", "Option", "define", "definition", "ids"],
    "overlap": ["dice", "iou", "relative_volume_difference", "volume_difference_cc"],
    "scoring": ["score", "score_cases", "scores"],
    "surfaces": ["SurfaceDistances", "surface_distances"],
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}
_ROOMS = {
    "agreement", "classification", "definitions", "dose", "masks", "overlap", "regression", "scoring", "segmentation",
    "skeletons", "surfaces", "survival",
}  # fmt: skip

__all__ = [
    "Definition",
    "EmptyPolicy",
    "Limits",
    "Option",
    "SurfaceDistances",
    "agreement",
    "classification",
    "concordance",
    "define",
    "definition",
    "definitions",
    "dice",
    "dose",
    "ids",
    "iou",
    "limits_of_agreement",
    "masks",
    "overlap",
    "regression",
    "relative_volume_difference",
    "score",
    "score_cases",
    "scores",
    "scoring",
    "segmentation",
    "skeletons",
    "surface_distances",
    "surfaces",
    "survival",
    "volume_difference_cc",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
