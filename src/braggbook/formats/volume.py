"""The cards of volumes that we write: in a Zarr store, of a folder, beside a NIfTI file. See docs/formats/volume.md."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from braggbook.formats.common import InnerPath
from braggbook.formats.run import FileRecord, Sha256

VOLUME_FORMAT = "braggbook.volume/1"
MANIFEST_FORMAT = "braggbook.manifest/1"
SIDECAR_FORMAT = "braggbook.nifti/1"
OME_FORMAT = "braggbook.ome/1"
Affine = Annotated[list[float], Field(min_length=16, max_length=16)]  # row by row: index (x, y, z) to LPS mm
ArrayName = Annotated[str, Field(pattern=r"^[^./\\][^/\\]*$")]  # it is the name of a folder


class _Model(BaseModel):
    # not strict, as FormatModel is: we write these ourselves and read them from JSON
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class VariableRecord(_Model):
    """One array of a store as it was in memory."""

    role: Literal["data", "coordinate"]
    dims: list[str]
    dtype: Annotated[str, Field(min_length=1)]  # as NumPy spells it; differs from the array's own for times and texts


class VolumeCard(_Model):
    """What the attribute ``braggbook`` of a store's group says."""

    format: Literal["braggbook.volume/1"] = "braggbook.volume/1"
    written_by: str
    variables: dict[ArrayName, VariableRecord]
    attributes_sha256: Sha256  # of the group's other attributes, as canonical JSON
    tree_sha256: Sha256  # of `files`; see Manifest
    files: dict[InnerPath, FileRecord]  # everything in the store but the card's own zarr.json


class Manifest(_Model):
    """What a folder held: every file by what is in it."""

    format: Literal["braggbook.manifest/1"] = "braggbook.manifest/1"
    tree_sha256: Sha256  # of the canonical JSON of {path: sha256}
    files: dict[InnerPath, FileRecord]


class OmeCard(_Model):
    """What the attribute ``braggbook`` of an OME-Zarr image that we wrote says: what the standard cannot."""

    format: Literal["braggbook.ome/1"] = "braggbook.ome/1"
    written_by: str
    name: str
    frame: Literal["LPS"] = "LPS"
    affine: Affine  # of the full resolution
    units: str  # of the values
    dtype: str
    downsampling: Literal["mean", "majority", "stride"]
    attrs: dict[str, Any]  # as in the Zarr store; see docs/formats/volume.md
    coords: dict[str, Any]  # of t and c


class Sidecar(_Model):
    """The JSON file beside a NIfTI file; its capitalised keys are BIDS's where BIDS has the idea."""

    format: Annotated[Literal["braggbook.nifti/1"], Field(alias="BraggbookFormat")] = "braggbook.nifti/1"
    name: Annotated[str, Field(alias="BraggbookName")]
    dims: Annotated[list[str], Field(alias="BraggbookDims")]
    dtype: Annotated[str, Field(alias="BraggbookDtype")]
    affine: Annotated[Affine, Field(alias="BraggbookAffineLPS")]
    attrs: Annotated[dict[str, Any], Field(alias="BraggbookAttributes")]
    coords: Annotated[dict[str, Any], Field(alias="BraggbookCoordinates")]
    units: Annotated[str, Field(alias="Units")]
    modality: Annotated[str | None, Field(alias="Modality")] = None
    manufacturer: Annotated[str | None, Field(alias="Manufacturer")] = None
    model: Annotated[str | None, Field(alias="ManufacturersModelName")] = None
    description: Annotated[str | None, Field(alias="SeriesDescription")] = None
    echo_time_s: Annotated[float | None, Field(alias="EchoTime")] = None
    repetition_time_s: Annotated[float | None, Field(alias="RepetitionTime")] = None
    flip_angle_deg: Annotated[float | None, Field(alias="FlipAngle")] = None

    model_config = ConfigDict(
        extra="ignore", frozen=True, allow_inf_nan=False, validate_by_name=True, validate_by_alias=True
    )
