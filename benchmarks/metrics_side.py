"""The sides of `benchmarks/metrics.py`, each in a process and an environment of its own.

Functions are called by name with the clock running; `open_*` only prepares. Each gives what it says of the masks: the
distances are those between surfaces that the side itself has found, nothing of which is kept from call to call.
"""
# ruff: noqa: PLC0415 - each environment has one of the sides alone

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
from imaging_serve import serve

KEPT: dict[str, Any] = {}
WARM_SIZE = 24  # of the masks that everything is called with once, so that nobody is charged for a first call


def versions(*, names: list[str]) -> dict[str, str]:
    return {name: version(name) for name in names}


def open_masks(*, path: str, spacing_mm: list[float], tolerance_mm: float) -> None:
    with np.load(path) as both:
        KEPT.update(reference=both["reference"], estimate=both["estimate"])
    KEPT.update(spacing=tuple(spacing_mm), tolerance=tolerance_mm)


def open_braggbook() -> None:
    from braggbook.metrics import scores

    KEPT["scores"] = scores
    small = np.zeros((WARM_SIZE,) * 3, bool)
    small[5:15, 5:15, 5:15] = True
    scores({"hd95.surfel.directed_max.reached@1": {}, "hd.voxel@1": {}}, small, small, spacing_mm=(1, 1, 1))


def open_surface_distance() -> None:
    import surface_distance

    KEPT["peer"] = surface_distance


def open_monai() -> None:
    import torch
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice

    KEPT.update(hd=compute_hausdorff_distance, asd=compute_average_surface_distance, nsd=compute_surface_dice)
    for name in ("reference", "estimate"):
        KEPT[name] = torch.from_numpy(KEPT[name])[None, None]


def surfel() -> dict[str, float]:
    nsd = {"nsd.surfel@1": {"tolerance_mm": KEPT["tolerance"]}}
    return _ours({"hd.surfel@1": {}, "hd95.surfel.directed_max.reached@1": {}, "assd.surfel@1": {}, **nsd})


def voxel() -> dict[str, float]:
    nsd = {"nsd.voxel@1": {"tolerance_mm": KEPT["tolerance"]}}
    return _ours({"hd95.voxel.directed_max.linear@1": {}, "assd.voxel@1": {}, **nsd})


def voxel_hd95() -> dict[str, float]:
    return _ours({"hd95.voxel.directed_max.linear@1": {}})


def _ours(metrics: dict[str, dict[str, float]]) -> dict[str, float]:
    found = KEPT["scores"](metrics, KEPT["reference"], KEPT["estimate"], spacing_mm=KEPT["spacing"])
    return {id.partition(".")[0]: value for id, value in found.items()}


def surface_distance() -> dict[str, float]:
    peer = KEPT["peer"]
    found = peer.compute_surface_distances(KEPT["reference"], KEPT["estimate"], spacing_mm=KEPT["spacing"])
    there, back = peer.compute_average_surface_distance(found)
    ours, theirs = found["surfel_areas_gt"].sum(), found["surfel_areas_pred"].sum()
    return {
        "hd": float(peer.compute_robust_hausdorff(found, 100)),
        "hd95": float(peer.compute_robust_hausdorff(found, 95)),
        "assd": float((there * ours + back * theirs) / (ours + theirs)),
        "nsd": float(peer.compute_surface_dice_at_tolerance(found, KEPT["tolerance"])),
    }


def monai() -> dict[str, float]:
    return {
        **monai_hd95(),
        "assd": _monai("asd", symmetric=True),
        "nsd": _monai("nsd", class_thresholds=[KEPT["tolerance"]]),
    }


def monai_hd95() -> dict[str, float]:
    return {"hd95": _monai("hd", percentile=95)}


def _monai(name: str, **more: Any) -> float:
    found = KEPT[name](KEPT["estimate"], KEPT["reference"], include_background=True, spacing=KEPT["spacing"], **more)
    return float(found.item())


if __name__ == "__main__":
    serve({name: made for name, made in globals().items() if callable(made) and not name.startswith("_")})
