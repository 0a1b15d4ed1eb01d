"""The record of a sweep, ``sweep.json``. See docs/formats/sweep.md."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from braggbook.files import canonical_json, sha256_bytes
from braggbook.formats.common import Slug
from braggbook.formats.run import Engine, Identity, Verdict

SWEEP_FORMAT = "braggbook.sweep/1"
_ID_DIGITS = 24


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class AxisRecord(_Model):
    """One dimension of a sweep and the values along it, by parameter."""

    dim: str
    values: dict[str, list[Any]]


class SweepRecord(_Model):
    """What a sweep was asked for and how far it has come; its results lie in ``results.zarr`` beside it."""

    format: Literal["braggbook.sweep/1"] = "braggbook.sweep/1"
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]
    notebook: Slug
    title: str
    identity: Identity  # of a run with every parameter at its default
    fixed: dict[str, Any]
    axes: list[AxisRecord]
    points: Annotated[int, Field(ge=1)]
    ended: dict[Verdict, int]  # how many points ended how; the rest is missing
    engine: Engine
    shared_cells: int = 0
    left_out: dict[str, str] = {}  # results that the store does not hold, with the reason
    started: str
    updated: str


def sweep_id(identity: Identity, fixed: dict[str, Any], axes: list[AxisRecord]) -> str:
    """Returns the id of a sweep: a digest of what all its runs have in common and of the points."""
    content = {
        "identity": identity.model_dump(mode="json"),
        "fixed": fixed,
        "axes": [axis.model_dump(mode="json") for axis in axes],
    }
    return sha256_bytes(canonical_json({"sweep": content}))[:_ID_DIGITS]
