"""Writes peers.json: what other programs say of the cases in these tests.

Each peer lives in an environment of its own, in which this script is run with the peer's name:

    dicompyler-core 0.5.6 with pydicom<3, numpy<2:  python make_peers.py dicompyler FOLDER_OF_RT_BREAST_BOOST
    pymedphys 0.41 with numpy 1.26:                 python make_peers.py pymedphys
"""

from __future__ import annotations

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

OUTPUT = Path(__file__).parent / "peers.json"
SEED, MAXIMUM, POINTS = 7, 2, 40
INTERPOLATION = 250  # places per distance criterion


def dicompyler(folder: str) -> dict:
    from dicompylercore import dicomparser, dvhcalc

    structures, dose = Path(folder) / "rtss.dcm", Path(folder) / "rtdose.dcm"
    found = {}
    for number, structure in dicomparser.DicomParser(str(structures)).GetStructures().items():
        dvh = dvhcalc.get_dvh(str(structures), str(dose), number)
        if dvh.volume > 0:
            found[structure["name"]] = {"volume_cc": float(dvh.volume), "mean_gy": float(dvh.mean)}
    return {"versions": _versions("dicompyler-core", "pydicom", "numpy"), "structures": found}


def pymedphys() -> dict:
    import numpy as np
    from pymedphys import gamma
    from scipy.ndimage import gaussian_filter

    random = np.random.default_rng(SEED)  # as smooth_pair in test_gamma.py
    shape = (12, 12, 12)
    first = gaussian_filter(random.normal(size=shape), 3, mode="wrap")
    first = 2 * (first - first.min()) / np.ptp(first)
    second = 1.02 * first + 0.3 * gaussian_filter(random.normal(size=shape), 2, mode="wrap")
    axes = tuple(2.0 * np.arange(12) for _ in shape)
    points = np.argwhere(first >= 0.2 * first.max())
    points = points[np.random.default_rng(1).permutation(len(points))[:POINTS]]
    out = {"versions": _versions("pymedphys", "numpy"), "interp_fraction": INTERPOLATION, "seed": SEED}
    out |= {"maximum": MAXIMUM, "points": points.tolist()}
    for case in ("global", "local"):
        out[case] = [_one(gamma, axes, (first, second), tuple(point), local=case == "local") for point in points]
    return out


def _one(gamma, axes, doses, point, *, local: bool) -> float:
    place = tuple(axis[i : i + 1] for axis, i in zip(axes, point, strict=True))
    value = doses[0][tuple(slice(i, i + 1) for i in point)]
    settings = {"interp_fraction": INTERPOLATION, "max_gamma": MAXIMUM, "local_gamma": local, "quiet": True}
    norm = float(doses[0].max())
    found = gamma(place, value, axes, doses[1], 3, 3, 0, global_normalisation=norm, **settings)
    return round(float(found.ravel()[0]), 6)


def _versions(*names: str) -> dict[str, str]:
    return {name: version(name) for name in names}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    known = json.loads(OUTPUT.read_text()) if OUTPUT.exists() else {}
    known[sys.argv[1]] = {"dicompyler": dicompyler, "pymedphys": pymedphys}[sys.argv[1]](*sys.argv[2:])
    OUTPUT.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
