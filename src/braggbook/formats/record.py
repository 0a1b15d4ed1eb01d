"""What is sent to an archive, and what came of it: plan, deposit and receipt. See docs/formats/record.md.

The words are DataCite's where it has one (relation types of the DataCite Metadata Schema 4.6, appendix 1, table 9).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from braggbook.files import canonical_json, sha256_bytes
from braggbook.formats.common import Doi, License, Orcid
from braggbook.formats.run import Sha256

PLAN_FORMAT = "braggbook.plan/1"
DEPOSIT_FORMAT = "braggbook.deposit/1"
Kind = Literal["run", "dataset", "sweep", "board", "reproduction"]
ResourceType = Literal["dataset", "software", "workflow", "publication", "image", "lesson", "other"]
RelationType = Literal[
    "isCompiledBy", "isDerivedFrom", "isSupplementTo", "isPartOf", "hasPart", "requires", "reviews", "isVariantFormOf",
    "isNewVersionOf", "isPreviousVersionOf", "cites", "references", "isDocumentedBy", "isIdenticalTo",
]  # fmt: skip
Step = Literal["begun", "drafted", "uploaded", "publishing", "published", "checked"]
STEPS: tuple[Step, ...] = ("begun", "drafted", "uploaded", "publishing", "published", "checked")
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
_Text = Annotated[str, Field(min_length=1)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Creator(_Model):
    """A person as ``Family, Given``, or an organisation as it calls itself."""

    name: _Text
    type: Literal["personal", "organizational"] = "personal"
    orcid: Orcid | None = None
    affiliation: str | None = None
    ror: str | None = None  # of the affiliation, as https://ror.org/...


class Relation(_Model):
    """How this record stands to something else that has an identifier."""

    relation: RelationType
    identifier: _Text  # a DOI as 10..., else an address
    resource_type: ResourceType = "other"


class Funding(_Model):
    """Who paid."""

    funder: _Text
    funder_id: str | None = None  # DOI of the Crossref funder registry, or ROR
    award: str | None = None


class RecordMetadata(_Model):
    """What a librarian needs to know; each archive spells it its own way."""

    title: _Text
    description: _Text  # plain text, paragraphs divided by empty lines
    resource_type: ResourceType
    creators: Annotated[list[Creator], Field(min_length=1)]
    license: License
    keywords: list[str] = []
    subjects: list[str] = []
    language: str = "eng"  # ISO 639-3
    version: str
    relations: list[Relation] = []
    funding: list[Funding] = []
    notes: str = ""


class PlanFile(_Model):
    """One file that would be sent, by what is in it."""

    name: _Text
    sha256: Sha256
    md5: Md5  # what archives compute
    bytes: Annotated[int, Field(ge=0)]


class PublishPlan(_Model):
    """Exactly what would be sent; the same thing planned again has the same digest."""

    format: Literal["braggbook.plan/1"] = "braggbook.plan/1"
    kind: Kind
    source: _Text  # a run's id, slug@version of a dataset, ...
    metadata: RecordMetadata
    files: Annotated[list[PlanFile], Field(min_length=1)]
    missing: list[str] = []  # what a librarian would like to have; nothing that an archive refuses
    version_of: str | None = None  # DOI of the record whose next version this is
    doi: Doi | None = None  # reserved before, and in what is sent: the record must have this one

    @property
    def digest(self) -> str:
        """SHA-256 of everything that an archive will show; without fields at their defaults, so that more may come."""
        return sha256_bytes(canonical_json(self.model_dump(mode="json", exclude={"missing"}, exclude_defaults=True)))


class Deposit(_Model):
    """How far the sending of one plan to one archive has come; kept so that nothing is lost or doubled."""

    format: Literal["braggbook.deposit/1"] = "braggbook.deposit/1"
    archive: _Text
    plan: Sha256  # its digest
    step: Step
    id: str | None = None  # the archive's own, of draft and record
    doi: Doi | None = None
    concept_doi: Doi | None = None
    url: str | None = None
    files: list[PlanFile] = []
    published: str | None = None  # when, as the archive says
