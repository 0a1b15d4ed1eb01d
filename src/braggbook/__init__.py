"""Braggbook: radiobiology and imaging experiments as notebooks that anyone can run, check and repeat.

In a notebook::

    import braggbook as bb

    counts = bb.load("colony_counts_cal33_okf6@1")
    bb.result("alpha", 0.27, unit="1/Gy", uncertainty=0.06)

Importing this package does no work and needs the standard library alone; each name is fetched when it is first used.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from braggbook import errors, imaging, learn, metrics, radiobiology, units
    from braggbook.datasets.load import load
    from braggbook.imaging.reading import read_dicom
    from braggbook.notebooks.doi import run_doi
    from braggbook.notebooks.random import rng
    from braggbook.notebooks.results import result
    from braggbook.notebooks.viewer import show_volume
    from braggbook.notebooks.views import three_planes
    from braggbook.runs.lazy import sweep

__all__ = [
    "__version__",
    "errors",
    "imaging",
    "learn",
    "load",
    "metrics",
    "radiobiology",
    "read_dicom",
    "result",
    "rng",
    "run_doi",
    "show_volume",
    "sweep",
    "three_planes",
    "units",
]

_HOMES = {
    "load": "braggbook.datasets.load",
    "read_dicom": "braggbook.imaging.reading",
    "result": "braggbook.notebooks.results",
    "rng": "braggbook.notebooks.random",
    "run_doi": "braggbook.notebooks.doi",
    "show_volume": "braggbook.notebooks.viewer",
    "sweep": "braggbook.runs.lazy",
    "three_planes": "braggbook.notebooks.views",
}
_MODULES = {"errors", "imaging", "learn", "metrics", "radiobiology", "units"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("braggbook")
    if name in _MODULES:
        return _imported(f"braggbook.{name}", name)
    if name in _HOMES:
        return getattr(_imported(_HOMES[name], name), name)
    raise AttributeError(f"module 'braggbook' has no attribute {name!r}")


def _imported(module: str, name: str) -> Any:
    if sys.platform == "emscripten":  # in a browser: libraries are fetched, and some rooms are not there
        return importlib.import_module("braggbook.browser").import_here(module, name=f"bb.{name}")
    return importlib.import_module(module)


def __dir__() -> list[str]:
    return sorted(__all__)


if sys.platform == "emscripten":
    importlib.import_module("braggbook.browser").explain_missing()
