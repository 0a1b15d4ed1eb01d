"""Results of the multi-code LET benchmark of the Danish Centre for Particle Therapy, in one harmonised table.

A folder of results (``data/<code>/results/<plan>``) has a ``manifest.json`` that names each file's output type, for
example ``depth_Z.DLET.protons.mat``: geometry, quantity, particles, medium. Depth profiles are columns of depth (cm
from the isocentre, increasing along the beam: the contract of ``docs/coordinates.md``), value and uncertainty, in the
units of ``data/output_catalog.json``.

What the files leave open is handled like this, and nothing else is changed:

- an uncertainty column that is 0 throughout holds no uncertainty, and the manifest of FLUKA says so: it is left out;
- the depth profiles of dose and fluence in material by MCNP have the relative error of the tally in that column (0.0017
  beside values of 0.05 and of 0.01 alike): they are multiplied; its derived profiles hold absolute errors;
- "mat" is the medium at each depth, solid water with a PMMA plate.

Source: N. Bassler, L. Grzanka, J. B. Christensen, H. Brkic et al., MC particle transport simulations for the 2022
LET-measurements at DCPT, version 1.0.0 (2024), doi:10.5281/zenodo.10641085, CC BY 4.0; "only preliminary", says its
README.
"""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology.io.montecarlo import PathText, existing_file, text_of

FRAME = "beam axis, 0 at the isocentre, increasing along the beam"
_MM_PER_CM = 10.0
_KEV_UM_PER_MEV_CM = 0.1
_QUANTITIES = {
    "DOSE": ("dose", "not applicable", "MeV/g", 1.0),
    "FLUENCE": ("fluence", "not applicable", "1/cm2", 1.0),
    "DLET": ("LET", "dose-averaged", "keV/um", _KEV_UM_PER_MEV_CM),
    "TLET": ("LET", "track-averaged", "keV/um", _KEV_UM_PER_MEV_CM),
    "DQEFF": ("Qeff", "dose-averaged", "1", 1.0),
    "TQEFF": ("Qeff", "track-averaged", "1", 1.0),
}
_PARTICLES = {
    "all": "all particles",
    "primary": "primary protons",
    "protons": "all protons",
    "deuterons": "deuterons",
    "tritons": "tritons",
    "he3": "3He",
    "alphas": "4He",
    "heavy_recoils": "heavy recoils",
}
_MEDIA = {"mat": "solid water with a PMMA plate", "H2O": "water, unit density", "Si": "silicon"}
_RELATIVE_ERRORS = ("DOSE", "FLUENCE")  # of MCNP, in material


def read_let_benchmark(folder: PathText) -> pd.DataFrame:
    """Reads the depth profiles of one code and plan.

    Args:
        folder: A folder with a ``manifest.json``.

    Returns:
        A row per depth: code, plan, quantity, averaging, particles, medium, normalisation, frame, depth_mm, value,
        units, uncertainty (NaN where the files have none). LET is in keV/um. ``attrs["left_out"]`` lists the output
        types of the manifest that were not read: spectra, maps, values of the detector, dirty dose.

    Raises:
        ScienceError: The manifest or a file that it names is missing, damaged or not of the benchmark's form.
    """
    if not isinstance(folder, str | PathLike):
        raise ScienceError("not a path", wanted="a text or a path", got=type(folder).__name__)
    place = Path(folder)
    manifest = _manifest(place)
    code, plan = str(manifest["code"]["name"]), str(manifest["plan"])
    parts, issues, left_out = [], [], []
    for output_type, path in _entries(manifest):
        kind = output_type.split(".")
        if kind[0] != "depth_Z" or len(kind) != 4 or kind[1] not in _QUANTITIES or kind[2] not in _PARTICLES:
            left_out.append(output_type)
            continue
        try:
            parts.append(_profile(place / path, kind, code))
        except ScienceError as error:
            issues.append(Issue(error.what, where=error.where or path, wanted=error.wanted, got=error.got))
    if issues:
        raise ScienceError("profiles that cannot be read", where=place.name, issues=issues)
    if not parts:
        raise ScienceError("no depth profile", where=place.name, wanted="outputs of type depth_Z in the manifest")
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "plan", plan)
    table.insert(0, "code", code)
    table.attrs["left_out"] = left_out
    return table


def _entries(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns output type and path of every file that the manifest names."""
    try:
        return [
            (str(entry.get("output_type", f"{entry['path']} (no output type)")), str(entry["path"]))
            for output in manifest["outputs"]
            for entry in output["files"]
        ]
    except (TypeError, KeyError, AttributeError) as error:
        raise ScienceError(
            "not a manifest of the benchmark", where="manifest.json, outputs", wanted="files, each with its path"
        ) from error


def _manifest(place: Path) -> dict[str, Any]:
    text = text_of(place / "manifest.json")
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ScienceError("not JSON", where="manifest.json", got=str(error)) from error
    missing = [key for key in ("code", "plan", "outputs") if not isinstance(found, dict) or key not in found]
    if not missing and not (isinstance(found["code"], dict) and "name" in found["code"]):
        missing = ["the name of the code"]
    if missing:
        raise ScienceError("not a manifest of the benchmark", where="manifest.json", wanted=", ".join(missing))
    return dict(found)


def _profile(path: Path, kind: list[str], code: str) -> pd.DataFrame:
    existing_file(path)
    rows = [line.split() for line in text_of(path).splitlines() if line.strip() and not line.startswith("#")]
    try:
        numbers = np.array([[float(cell) for cell in row] for row in rows], dtype=np.float64)
    except ValueError as error:
        raise ScienceError("not a table of numbers", where=path.name, wanted="depth, value, uncertainty") from error
    if numbers.ndim != 2 or numbers.shape[1] not in (2, 3) or not np.isfinite(numbers).all():
        raise ScienceError("not a table of numbers", where=path.name, wanted="2 or 3 finite columns")
    _, name, particles, medium = kind
    quantity, averaging, units, factor = _QUANTITIES[name]
    value = numbers[:, 1] * factor
    spread = numbers[:, 2] * factor if numbers.shape[1] == 3 else np.zeros(len(numbers))
    if code == "MCNP" and name in _RELATIVE_ERRORS and medium == "mat":
        spread = spread * value / factor
    return pd.DataFrame(
        {
            "quantity": quantity,
            "averaging": averaging,
            "particles": _PARTICLES[particles],
            "medium": _MEDIA.get(medium, medium),
            "normalisation": "per primary" if averaging == "not applicable" else "not applicable",
            "frame": FRAME,
            # an isocentre written as -4.4e-16 cm is 0
            "depth_mm": np.round(numbers[:, 0] * _MM_PER_CM, 9) + 0.0,
            "value": value,
            "units": units,
            "uncertainty": spread if np.any(spread > 0) else np.nan,
        }
    )
