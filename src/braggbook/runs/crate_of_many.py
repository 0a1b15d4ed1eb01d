"""The crate of a sweep: one workflow and an action for each of its points, put together from the crates of its runs."""

from __future__ import annotations

import mimetypes
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from braggbook.runs.crate import CRATE

_OF_ONE_RUN = ("#value-", "#result-")  # what a parameter or a result was; all else with a local name is the notebook's
_ABOUT = ("name", "description", "identifier")


def merge_crates(
    crates: Mapping[str, Mapping[str, Any]],
    *,
    shared: Collection[str],
    about: Mapping[str, str],
    points: str,
    also: Iterable[str] = (),
) -> dict[str, Any]:
    """Returns the crate of a sweep.

    Args:
        crates: ``ro-crate-metadata.json`` of each point's run, by its id; of one notebook, and at least one.
        shared: Paths of files that all points have in common, which lie at the top; all others lie in their point's.
        about: ``name``, ``description`` and ``identifier`` of the sweep.
        points: The folder that has a folder for each point, as ``points``.
        also: Paths of more files at the top; a folder that is one thing, as a Zarr store, ends with a slash.
    """
    descriptor: dict[str, Any] = {}
    root: dict[str, Any] = {}
    entities: dict[str, dict[str, Any]] = {}
    parts, actions, dates = [], [], []
    for run_id, crate in crates.items():
        graph = {entity["@id"]: entity for entity in crate["@graph"]}
        names = {name: _name(name, run_id, shared, points) for name in graph}
        descriptor, own = graph.pop(CRATE), graph.pop("./")
        root = root or _moved(own, names)
        for entity in graph.values():
            moved = _moved(entity, names)
            entities.setdefault(moved["@id"], moved)
        parts += _listed(_moved(own.get("hasPart", []), names))
        actions += _listed(own["mentions"])
        dates.append(own["datePublished"])
    for path in also:
        entities[quote(path)] = _entity(path)
        parts.append({"@id": quote(path)})
    root |= {key: about[key] for key in _ABOUT}
    root |= {"hasPart": _unique(parts), "mentions": _single(actions), "datePublished": max(dates)}
    context = next(iter(crates.values()))["@context"]
    return {"@context": context, "@graph": [descriptor, root, *entities.values()]}


def _name(name: str, run_id: str, shared: Collection[str], points: str) -> str:
    """Returns what an entity of a run's crate is called in the sweep's."""
    if name.startswith(_OF_ONE_RUN):
        return f"{name}-{run_id}"
    if name.startswith("#") or "://" in name or name in (CRATE, "./") or unquote(name) in shared:
        return name
    return f"{points}/{run_id}/{name}"


def _moved(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_moved(item, names) for item in value]
    if isinstance(value, dict):
        return {key: names.get(item, item) if key == "@id" else _moved(item, names) for key, item in value.items()}
    return value


def _entity(path: str) -> dict[str, Any]:
    if path.endswith("/"):
        name, kind = path.rstrip("/").rpartition("/")[2], "Dataset"
        return {"@id": quote(path), "@type": kind, "name": name, "encodingFormat": "application/vnd.zarr"}
    kind = mimetypes.guess_type(path)[0] or "text/plain"
    return {"@id": quote(path), "@type": "File", "name": path.rpartition("/")[2], "encodingFormat": kind}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _single(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _unique(references: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{"@id": name} for name in dict.fromkeys(reference["@id"] for reference in references)]
