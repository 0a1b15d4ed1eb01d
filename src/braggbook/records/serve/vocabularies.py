"""The words that the archive knows: kinds of records, relations, licences."""

from __future__ import annotations

UPLOAD_TYPES = {
    "publication": "Publication",
    "poster": "Poster",
    "presentation": "Presentation",
    "dataset": "Dataset",
    "image": "Image",
    "video": "Video/Audio",
    "software": "Software",
    "lesson": "Lesson",
    "physicalobject": "Physical object",
    "model": "Model",
    "workflow": "Workflow",
    "event": "Event",
    "other": "Other",
}
SUBTYPES = {
    "publication": {
        "annotationcollection", "article", "book", "conferencepaper", "conferenceproceeding", "datamanagementplan",
        "datapaper", "deliverable", "dissertation", "journal", "milestone", "other", "patent", "peerreview", "preprint",
        "proposal", "report", "section", "softwaredocumentation", "standard", "taxonomictreatment", "technicalnote",
        "thesis", "workingpaper",
    },
    "image": {"diagram", "drawing", "figure", "other", "photo", "plot"},
    "software": {"computationalnotebook"},
}  # fmt: skip
RELATIONS = (
    "isCitedBy", "cites", "isSupplementTo", "isSupplementedBy", "isContinuedBy", "continues", "isDescribedBy",
    "describes", "hasMetadata", "isMetadataFor", "hasVersion", "isVersionOf", "isNewVersionOf", "isPreviousVersionOf",
    "isPartOf", "hasPart", "isPublishedIn", "isReferencedBy", "references", "isDocumentedBy", "documents",
    "isCompiledBy", "compiles", "isVariantFormOf", "isOriginalFormOf", "isIdenticalTo", "isAlternateIdentifier",
    "isReviewedBy", "reviews", "isDerivedFrom", "isSourceOf", "isRequiredBy", "requires", "isObsoletedBy", "obsoletes",
)  # fmt: skip
RELATION_OF = {relation.lower(): relation for relation in RELATIONS}
_ROLES = (
    "ContactPerson", "DataCollector", "DataCurator", "DataManager", "Distributor", "Editor", "HostingInstitution",
    "Other", "Producer", "ProjectLeader", "ProjectManager", "ProjectMember", "RegistrationAgency",
    "RegistrationAuthority", "RelatedPerson", "Researcher", "ResearchGroup", "RightsHolder", "Supervisor", "Sponsor",
    "WorkPackageLeader",
)  # fmt: skip
ROLE_OF = {role.lower(): role for role in _ROLES}
_LEGACY_TO_RDM = {
    "cc-zero": "cc0-1.0",
    "cc0": "cc0-1.0",
    "cc-by": "cc-by-4.0",
    "cc-by-sa": "cc-by-sa-4.0",
    "apache2.0": "apache-2.0",
    "mit-license": "mit",
}
_RDM_TO_LEGACY = {"cc0-1.0": "cc-zero", "apache-2.0": "apache2.0", "mit": "mit-license"}


def license_in(name: str) -> str:
    """Returns the archive's own name of a licence that the deposit API names."""
    return _LEGACY_TO_RDM.get(name.lower(), name.lower())


def license_out(name: str) -> str:
    """Returns the name that the deposit API gives to a licence."""
    return _RDM_TO_LEGACY.get(name, name)


def is_resource_type(id: str) -> bool:
    """Whether there is such a kind of record, as ``dataset`` or ``publication-article``."""
    kind, _, subtype = id.partition("-")
    return kind in UPLOAD_TYPES and (not subtype or subtype in SUBTYPES.get(kind, ()))


def resource_title(id: str) -> str:
    """Returns the English name of a kind of record."""
    kind, _, subtype = id.partition("-")
    return subtype.capitalize() if subtype else UPLOAD_TYPES.get(kind, kind)
