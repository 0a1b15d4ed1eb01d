"""Datasets, for programs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from braggbook.hub.api.answers import problems
from braggbook.hub.look.datasets import DatasetShown, list_datasets, show_dataset
from braggbook.hub.web.rendering import url
from braggbook.hub.web.visitor import AtDesk

router = APIRouter(tags=["datasets"])
Slug = Annotated[str, Path(max_length=100, pattern=r"^[a-z][a-z0-9_]*$", description="The dataset's name.")]
Version = Annotated[int, Path(ge=1, le=1_000_000, description="Of the dataset.")]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class DatasetShort(_Answer):
    """A dataset in a list."""

    slug: str
    version: int | None = Field(description="null where the card cannot be used.")
    title: str
    license: str = Field(description="An SPDX expression.")
    files: int
    bytes: int
    issues: list[str] = Field(description="What is wrong with the card.")


class DatasetList(_Answer):
    """All datasets of the project, by name."""

    datasets: list[DatasetShort]


class ColumnAnswer(_Answer):
    """A column of a table."""

    name: str
    type: str
    unit: str
    meaning: str


class FileAnswer(_Answer):
    """A file of a dataset."""

    path: str
    kind: str
    bytes: int
    sha256: str
    here: bool = Field(description="Whether the hub has it at hand.")
    origins: list[str] = Field(description="Where else it can be taken from.")
    columns: list[ColumnAnswer]
    address: str | None = Field(description="Where it can be downloaded from this hub.")


class RecordAnswer(_Answer):
    """A record in an archive."""

    doi: str
    archive: str
    page: str | None
    published: str


class DatasetAnswer(_Answer):
    """A dataset."""

    slug: str
    version: int
    reference: str
    digest: str = Field(description="SHA-256 of what a computation can see of it.")
    title: str
    abstract: str
    provenance: str
    license: str
    keywords: list[str]
    authors: list[str]
    files: list[FileAnswer]
    records: list[RecordAnswer]
    commands: list[str]
    page: str


@router.get("/datasets", name="api_datasets", responses=problems(401, 503))
def all_datasets(desk: AtDesk) -> DatasetList:
    """The datasets of the project."""
    found = [
        DatasetShort(
            slug=one.slug, version=one.version, title=one.title, license=one.license, files=one.files,
            bytes=one.bytes, issues=list(one.issues),
        )
        for one in list_datasets(desk.settings)
    ]  # fmt: skip
    return DatasetList(datasets=found)


@router.get("/datasets/{slug}/{version}", name="api_dataset", responses=problems(401, 404, 422, 503))
def one_dataset(request: Request, desk: AtDesk, slug: Slug, version: Version) -> DatasetAnswer:
    """A dataset: its card, and its files by their hashes."""
    return _answer(request, show_dataset(f"{slug}@{version}", desk.settings))


def _answer(request: Request, shown: DatasetShown) -> DatasetAnswer:
    params: dict[str, Any] = {"slug": shown.slug, "version": shown.version}
    files = [
        FileAnswer(
            path=one.path, kind=one.kind, bytes=one.bytes, sha256=one.sha256, here=one.here,
            origins=list(one.origins),
            columns=[
                ColumnAnswer(name=column.name, type=column.type, unit=column.unit, meaning=column.meaning)
                for column in one.columns
            ],
            address=url(request, "dataset_file", path=one.path, **params) if one.here else None,
        )
        for one in shown.files
    ]  # fmt: skip
    return DatasetAnswer(
        **params, reference=shown.reference, digest=shown.digest, title=shown.title, abstract=shown.abstract,
        provenance=shown.provenance, license=shown.license, keywords=list(shown.keywords),
        authors=[one.name for one in shown.authors], files=files,
        records=[
            RecordAnswer(doi=one.doi, archive=one.archive, page=one.page, published=one.when) for one in shown.records
        ],
        commands=list(shown.commands), page=url(request, "dataset", **params),
    )  # fmt: skip
