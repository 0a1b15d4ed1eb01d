"""The record of a run, ``run.json``. See docs/formats/run.md."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from braggbook.files import canonical_json, sha256_bytes
from braggbook.formats.common import Doi, InnerPath, RelativePath, Slug
from braggbook.formats.notebook import DatasetReference

RUN_FORMAT = "braggbook.run/1"
_ID_DIGITS = 24  # 96 bits: two runs of all mankind will not share one
Verdict = Literal["complete", "failed", "timed out", "killed", "interrupted"]
CellStatus = Literal["complete", "failed", "timed out", "killed", "interrupted", "not run"]
Engine = Literal["kernel", "warm", "shell"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Model(BaseModel):
    # not strict, as FormatModel is: we write these ourselves and read them from JSON
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FileRecord(_Model):
    """One file by what is in it."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class DatasetRecord(_Model):
    """A dataset that a run used; of files that were not copied, its card says where they can be had."""

    reference: DatasetReference
    title: str
    license: str
    files: dict[RelativePath, FileRecord]
    not_copied: list[RelativePath] = []


class KernelRecord(_Model):
    """The kernel of a run: its lock, and whether the environment was the runner's own or an installed one."""

    slug: Slug
    lock_sha256: Sha256
    origin: Literal["current", "installed"]


class SoftwareRecord(_Model):
    """Braggbook's own code: the wheel in the run's folder."""

    version: str
    wheel: RelativePath
    sha256: Sha256


class Determinism(_Model):
    """What could change a number although code and data are the same; all of it is set by the runner."""

    seed: int
    environment: dict[str, str]
    matplotlib_hashsalt: str
    cell_timeout_s: float
    memory_limit_mb: int


class CellRecord(_Model):
    """How one code cell of the executed notebook ended."""

    index: int
    status: CellStatus
    seconds: float | None = None


class Failure(_Model):
    """Why a run is not complete."""

    kind: Literal["cell", "timeout", "kernel", "results", "interrupt", "kernel start"]
    message: str
    cell: int | None = None
    error: str = ""
    issues: list[dict[str, str]] = []


class Identity(_Model):
    """What the run's id is the digest of."""

    notebook: Sha256
    parameters: dict[str, Any]
    datasets: dict[str, Sha256]  # by slug@version
    kernel_lock: Sha256
    python: str
    braggbook: Sha256
    seed: int

    @property
    def run_id(self) -> str:
        """The id that belongs to this identity."""
        return sha256_bytes(canonical_json(self.model_dump(mode="json")))[:_ID_DIGITS]


class RunRecord(_Model):
    """Everything about a run but its results, which lie in ``results.json`` beside it."""

    format: Literal["braggbook.run/1"] = "braggbook.run/1"
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]
    verdict: Verdict
    failure: Failure | None = None
    notebook: Slug
    title: str
    identity: Identity
    parameters: dict[str, Any]
    datasets: list[DatasetRecord]
    kernel: KernelRecord
    python: str
    braggbook: SoftwareRecord
    determinism: Determinism
    engine: Engine = "kernel"  # a kernel of its own; one forked from a template; a forked shell without a kernel
    shared_cells: int = 0  # the first code cells, if they were executed once for many runs of a sweep
    cells: list[CellRecord]
    started: str
    ended: str
    doi: Doi | None = None  # reserved before the run, so that its figures could carry it; no part of the id
    results: list[Slug]
    constants_version: str | None = None  # of the constants court; None when no result rests on a constant of it
    files: dict[InnerPath, FileRecord]  # a notebook may write files of any name
