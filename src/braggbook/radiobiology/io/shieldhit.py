"""SHIELD-HIT12A: binary ``.bdo`` files, read by pymchelper (extra ``montecarlo``).

The file says the quantity and how it is averaged (DLET, TLET), its units, the grid in the coordinates of the
geometry, and how many primaries there were. In its older formats it does not name the medium that was scored in, and
never which way the beam goes. pymchelper divides by the primaries what must be.

Format: N. Bassler, D. C. Hansen, A. Luehr et al., SHIELD-HIT12A, J Phys Conf Ser 489 (2014) 012004,
doi:10.1088/1742-6596/489/1/012004; pymchelper, https://github.com/DataMedSci/pymchelper.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from braggbook.errors import BraggbookError, ScienceError
from braggbook.radiobiology.io.montecarlo import (
    NOT_APPLICABLE,
    Axis,
    PathText,
    Scoring,
    build_dataset,
    existing_file,
    library,
    scored,
    settle,
    uniform_axis,
)

# Names of detectors whose quantity and averaging the name itself says.
_DETECTORS = {
    "DLET": ("LET", "dose-averaged"),
    "TLET": ("LET", "track-averaged"),
    "DLETG": ("LET", "dose-averaged"),
    "TLETG": ("LET", "track-averaged"),
    "DQEFF": ("Qeff", "dose-averaged"),
    "TQEFF": ("Qeff", "track-averaged"),
    "DOSE-AV-Q": ("Q", "dose-averaged"),
    "TRACK-AV-Q": ("Q", "track-averaged"),
    "DOSE-AV-Z2BETA2": ("Z2/beta2", "dose-averaged"),
    "TRACK-AV-Z2BETA2": ("Z2/beta2", "track-averaged"),
    "AVG-ENERGY": ("mean energy", "track-averaged"),
    "DOSE": ("dose", NOT_APPLICABLE),
    "DOSE-GY": ("dose", NOT_APPLICABLE),
    "FLUENCE": ("fluence", NOT_APPLICABLE),
    "ENERGY": ("energy", NOT_APPLICABLE),
}
_MAPS = ("ZONE", "MEDIUM", "RHO", "MATERIAL")  # of the geometry, not of particles
_AXIS_NAMES = {"position (x)": "x", "position (y)": "y", "position (z)": "z", "radius (r)": "r", "angle (phi)": "phi"}
_UNITS = {"radians": "rad", "": "1", "(dimensionless)": "1", "nil": "1", "(nil)": "1"}
_PER_PRIMARY = re.compile(r"/\s*prim(?:ary)?$")
_SCALED = {"MeV/amu": "MeV/u", "MeV/nucleon": "MeV", "MeV/nucl": "MeV"}


def read_shieldhit(
    path: PathText | Iterable[PathText],
    *,
    averaging: str | None = None,
    particles: str | None = None,
    medium: str | None = None,
    frame: str | None = None,
) -> xr.Dataset:
    """Reads a ``.bdo`` file of SHIELD-HIT12A, or several of one run, which are averaged.

    Args:
        path: A file, or the files that the jobs of one run wrote; with two or more there is an uncertainty, the
            standard error of their weighted mean.
        averaging: For a detector whose name does not say it.
        particles: When the file names no filter and is of a format that has none; a file of 2010 says it.
        medium: The medium that was scored in; no format read here names it.
        frame: Where the origin is and where the beam goes, when the words of the format ("geometry of the
            simulation") are not enough.

    Returns:
        A dataset as :mod:`braggbook.radiobiology.io.montecarlo` describes, one variable per page: ``dose``, ``tlet``,
        ``zone``, ... A second page of one name gets a ``_2``.

    Raises:
        ScienceError: pymchelper is missing; a file is not of this kind, is cut off, or does not say something that
            must be known.
    """
    files = [
        existing_file(one) for one in ([path] if isinstance(path, str) or not isinstance(path, Iterable) else path)
    ]
    if not files:
        raise ScienceError("no file", wanted="one .bdo file or more")
    names = ", ".join(file.name for file in files)
    estimator = _estimator([str(file) for file in files], names)
    axes = [_axis(getattr(estimator, which)) for which in ("x", "y", "z")]
    by_caller = {"averaging": averaging, "particles": particles, "medium": medium, "frame": frame}
    variables: dict[str, tuple[Any, dict[str, Any]]] = {}
    extra = [*axes, *_differential(estimator, names)]
    place = ""
    for page in estimator.pages:
        said = _said(page, estimator, by_caller, names)
        place = said["frame"]
        entry = _page(page, extra, said, where=names)
        variables.update(
            {_free(_detector(page).lower().replace("-", "_"), variables) + end: found for end, found in entry.items()}
        )
    attrs = {
        "frame": place,
        "code": "SHIELD-HIT12A",
        "code_version": str(getattr(estimator, "mc_code_version", "not stated")),
        "source": names,
        "file_format": str(estimator.file_format),
        "primaries": int(estimator.number_of_primaries),
    }
    return build_dataset(extra, variables, attrs=attrs)


def _estimator(paths: list[str], names: str) -> Any:
    """Returns what pymchelper makes of the files."""
    general = library("pymchelper.readers.shieldhit.general")
    tool = library("pymchelper.input_output")
    estimator_class = library("pymchelper.estimator")
    try:
        readers = [general.SHReaderFactory(path).get_reader() for path in paths]
        if any(reader is None for reader in readers):
            raise ScienceError("not a .bdo file of SHIELD-HIT12A", where=names)
        if len(paths) > 1:
            found = tool.fromfilelist(paths, error=estimator_class.ErrorEstimate.stderr)
        else:
            found = estimator_class.Estimator()
            found.file_counter = 1
            found = found if readers[0](paths[0]).read(found) else None
    except BraggbookError:
        raise
    except Exception as error:  # whatever a parser of binary data meets in a damaged file
        raise ScienceError(
            "the .bdo file cannot be read", where=names, wanted="a whole file", got=f"{type(error).__name__}: {error}"
        ) from error
    stated = getattr(found, "page_count", None)
    if found is not None and stated is not None and len(found.pages) != int(stated):
        raise ScienceError(
            "the .bdo file is cut off", where=names, wanted=f"{int(stated)} pages", got=str(len(found.pages))
        )
    if found is None or not found.pages:
        raise ScienceError("the .bdo file cannot be read", where=names, wanted="at least one page of results")
    return found


def _axis(mesh: Any) -> Axis:
    name = _AXIS_NAMES.get(mesh.name.lower(), re.sub(r"\W+", "_", mesh.name.lower()).strip("_"))
    log = "log" in getattr(mesh.binning, "name", "")
    units = _UNITS.get(mesh.unit, mesh.unit)
    return uniform_axis(
        name,
        float(mesh.min_val),
        float(mesh.max_val),
        bins=int(mesh.n),
        units=_SCALED.get(units, units),
        logarithmic=log,
    )


def _differential(estimator: Any, names: str) -> list[Axis]:
    """Returns the differential axes, which all pages must share to stand in one dataset."""
    found = []
    for which in ("diff_axis1", "diff_axis2"):
        meshes = {(m.n, m.min_val, m.max_val) for m in (getattr(page, which) for page in estimator.pages) if m.n > 1}
        sizes = {getattr(page, which).n for page in estimator.pages}
        if len(meshes) > 1 or len(sizes) > 1:
            raise ScienceError("pages with different differential bins", where=names, wanted="one grid for all pages")
        if meshes:
            mesh = getattr(estimator.pages[0], which)
            found.append(_axis(mesh if mesh.name else mesh._replace(name=which)))
    return found


def _said(page: Any, estimator: Any, by_caller: Mapping[str, str | None], names: str) -> dict[str, str]:
    detector, frame = _detector(page), _frame(by_caller)
    if detector in _MAPS:  # what the caller says of the other pages does not concern a map of the geometry
        return {**dict.fromkeys(("averaging", "particles", "medium"), NOT_APPLICABLE), "frame": frame}
    average = _DETECTORS[detector][1] if detector in _DETECTORS else None
    by_file = {"averaging": average, "particles": _particles(page, estimator), "medium": None, "frame": frame}
    return settle(by_file, by_caller, where=f"{names}, {detector}")


def _frame(by_caller: Mapping[str, str | None]) -> str:
    return by_caller["frame"] or "geometry of the simulation (SHIELD-HIT12A), direction of the beam not stated"


def _particles(page: Any, estimator: Any) -> str | None:
    if name := getattr(page, "filter_name", None) or getattr(page, "page_filter_name", None):
        return f"filter {name}"
    if estimator.file_format == "bdo2019":
        return "all"  # a page without a filter scores every particle
    code = getattr(estimator, "particle", None)
    if code is None:
        return None
    return "all" if int(code) == -1 else f"SHIELD-HIT12A particle {int(code)}"


def _page(page: Any, axes: list[Axis], said: dict[str, str], *, where: str) -> dict[str, tuple[Any, dict[str, Any]]]:
    detector = _detector(page)
    quantity, _ = _DETECTORS.get(detector, (detector.lower(), ""))
    raw_unit = str(page.unit).strip()
    per_primary = bool(_PER_PRIMARY.search(raw_unit))
    units = _PER_PRIMARY.sub("", raw_unit).strip()
    normalisation = "per primary" if per_primary else "not stated"
    if detector in _MAPS or said["averaging"] in ("dose-averaged", "track-averaged"):
        normalisation = NOT_APPLICABLE
    scoring = Scoring(quantity=quantity, units=_UNITS.get(units, units), normalisation=normalisation, **said)
    return scored(
        _cube(page.data_raw, page, axes, where), axes, scoring,
        uncertainty=None if page.error_raw is None else _cube(page.error_raw, page, axes, where),
        detector=detector,
    )  # fmt: skip


def _cube(raw: Any, page: Any, axes: list[Axis], where: str) -> Any:
    shape = tuple(axis.size for axis in axes)
    values = np.asarray(raw, dtype=np.float64).ravel()
    if values.size != int(np.prod(shape)):
        raise ScienceError(
            "the .bdo file is cut off",
            where=f"{where}, {_detector(page)}",
            wanted=f"{int(np.prod(shape))} values",
            got=str(values.size),
        )
    return values.reshape(shape, order=page.data_order)


def _detector(page: Any) -> str:
    return str(page.dettyp).rpartition(".")[2].upper().replace("_", "-").replace("Q-EFF", "QEFF")


def _free(name: str, taken: Mapping[str, Any]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
