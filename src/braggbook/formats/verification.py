"""What came of verifying a record, ``verification.json``, as it is published. See docs/formats/verification.md.

It has no time and no name of a machine or person: verified again with the same outcome, it is the same file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from braggbook.formats.common import Doi
from braggbook.formats.run import Sha256

VERIFICATION_FORMAT = "braggbook.verification/1"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class VerifiedRecord(_Model):
    """Which record was verified, down to the bytes."""

    kind: Literal["run", "dataset", "sweep"]
    doi: Doi
    title: str
    version: str
    zip: str
    sha256: Sha256  # of the zip


class FileFinding(_Model):
    """A file that is not as the record says, and the results that it holds."""

    what: str
    where: str
    wanted: str = ""
    got: str = ""
    results: list[str] = []


class ResultRow(_Model):
    """One result beside its repetition, as ``verify --json`` prints it."""

    name: str
    expected: Any
    actual: Any
    unit: str | None = None
    tolerance: dict[str, float]
    same: bool
    identical: bool
    where: str = ""
    difference: str = ""


class Verifier(_Model):
    """What it was verified with; nothing of it names a machine or a person."""

    braggbook: str
    python: str
    platform: dict[str, str]


class VerificationFile(_Model):
    """A verdict with everything that it rests on."""

    format: Literal["braggbook.verification/1"] = "braggbook.verification/1"
    record: VerifiedRecord
    run: Annotated[str, Field(min_length=1)]  # its id; of a dataset its title and version
    verdict: Literal["identical", "within tolerance", "drifted"]
    reason: str = ""
    files: list[FileFinding] = []
    results: list[ResultRow] = []
    notes: list[str] = []
    verified_with: Verifier
