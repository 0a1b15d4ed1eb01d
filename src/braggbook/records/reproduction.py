"""A verdict as a small record of its own, that stands in relation to what was verified."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from braggbook.errors import InputError, Issue
from braggbook.files import canonical_json, sha256_bytes, storage, write_json, write_text
from braggbook.formats.common import check_orcid, issues_from
from braggbook.formats.record import PublishPlan
from braggbook.formats.verification import VerificationFile
from braggbook.records.archive import Record
from braggbook.records.bundle import describe
from braggbook.records.metadata import checked_metadata, one_line
from braggbook.records.people import missing_of
from braggbook.records.receive import REPRODUCTION, Received
from braggbook.records.run_plan import Planned, place_of, require_sendable, software_relation, unique_relations
from braggbook.runs.environment import machine_facts
from braggbook.runs.scrub import Scrubber, make_scrubber
from braggbook.runs.verify import Verification
from braggbook.settings import Settings

README = "README.md"
LICENSE = "CC-BY-4.0"
_LONGEST_TITLE = 240  # characters


def creators_given(names: Sequence[str], orcids: Sequence[str], affiliations: Sequence[str]) -> list[dict[str, Any]]:
    """Returns those who verified, as they gave themselves; nobody is guessed.

    Args:
        names: Each as ``Family, Given``; an organisation without a comma.
        orcids: Of the same people in the same order, or none.
        affiliations: Likewise.

    Raises:
        InputError: There is nobody, an ORCID iD is none, or it is not clear whose something is.
    """
    command = 'braggbook verify DOI --publish --creator "Family, Given" --orcid 0000-0000-0000-0000'
    if not names:
        what = "nobody to sign the verdict"
        raise InputError(what, wanted="--creator, once for each person who verified it", next_command=command)
    issues = [Issue("an empty name", "--creator", "Family, Given") for name in names if not name.strip(" ,")]
    for option, values in (("--orcid", orcids), ("--affiliation", affiliations)):
        if values and len(values) != len(names):
            issues.append(Issue("not one for each --creator", option, f"{len(names)} or none", str(len(values))))
    issues += [issue for orcid in orcids for issue in _unfit(orcid)]
    if issues:
        raise InputError("those who verified it", issues=issues, next_command=command)
    creators = []
    for at, name in enumerate(names):
        facts: dict[str, Any] = {"name": one_line(name), "type": "personal" if "," in name else "organizational"}
        facts |= {"orcid": check_orcid(orcids[at])} if orcids else {}
        facts |= {"affiliation": one_line(affiliations[at])} if affiliations else {}
        creators.append(facts)
    return creators


def _unfit(orcid: str) -> list[Issue]:
    try:
        check_orcid(orcid)
    except ValueError as error:
        return [Issue(str(error), "--orcid")]
    return []


def require_related(received: Received) -> Record:
    """Returns the record that a verdict is about.

    Raises:
        InputError: The record came without one: a zip may say of itself what it likes.
    """
    if received.record is None or not received.record.doi:
        raise InputError(
            "a verdict on nothing that others could find",
            where=received.name,
            wanted="a record in an archive, by its DOI or the address of its page",
            next_command="braggbook verify DOI --publish",
        )
    return received.record


def plan_reproduction(
    found: Verification,
    received: Received,
    *,
    creators: list[dict[str, Any]],
    settings: Settings,
    archive: str,
    software: str | None = None,
) -> tuple[Planned, Path]:
    """Plans to publish a verdict.

    Args:
        found: The verdict.
        received: What it is about.
        creators: Who verified it, from :func:`creators_given`.
        settings: Where runs are, beside which deposits lie.
        archive: Where it shall go, as a person names it.
        software: DOI or address of Braggbook.

    Returns:
        The plan, and the folder of its deposit, in which its files lie. The same verdict has the same.

    Raises:
        InputError: Nothing was compared, the record has no DOI, or something in it would identify a machine.
    """
    record = require_related(received)
    if found.verdict == "not verifiable":
        wanted = "identical, within tolerance or drifted"
        raise InputError("not published: nothing was compared", where=record.doi, wanted=wanted, got=found.reason)
    scrubber = make_scrubber({"project": settings.project, "cache": settings.cache}, vocabulary="")
    told = _told(found, received, record, scrubber)
    facts = _facts(told, creators=creators, software=software)
    content = told.model_dump(mode="json")
    digest = sha256_bytes(canonical_json([content, facts]))
    place = place_of(settings.runs / f"reproduction-{told.record.sha256[:12]}-{digest[:12]}", archive)
    with storage(place):
        place.mkdir(parents=True, exist_ok=True)
    write_json(place / REPRODUCTION, content)
    write_text(place / README, _readme(told, facts))
    paths = {name: place / name for name in (REPRODUCTION, README)}
    own_words = "\n".join([record.title, *(creator["name"] for creator in creators)])
    require_sendable(paths, facts, where=f"verdict on {record.doi}", scrubber=scrubber, own_words=own_words)
    metadata = checked_metadata(facts)
    plan = PublishPlan(
        kind="reproduction",
        source=f"verify {record.doi}",
        metadata=metadata,
        files=[describe(path, name=name) for name, path in sorted(paths.items())],
        missing=missing_of(metadata.creators),
    )
    return Planned(plan, paths), place


def _told(found: Verification, received: Received, record: Record, scrubber: Scrubber) -> VerificationFile:
    """Returns the verdict as it is published, without a trace of this machine."""
    said = found.as_json()
    data = {
        "record": {
            "kind": received.kind,
            "doi": record.doi,
            "title": record.title,
            "version": record.version,
            "zip": received.zip.name,
            "sha256": received.sha256,
        },
        "run": said["run_id"],
        **{key: said[key] for key in ("verdict", "reason", "files", "results", "notes")},
        "verified_with": {
            "braggbook": importlib.metadata.version("braggbook"),
            "python": platform.python_version(),
            "platform": machine_facts(),
        },
    }
    try:
        return VerificationFile.model_validate(scrubber.tree(data))
    except ValidationError as error:
        issues = issues_from(error, where=REPRODUCTION, known=VerificationFile)
        raise InputError("a verdict that cannot be published", where=record.doi, issues=issues) from None


def _facts(told: VerificationFile, *, creators: list[dict[str, Any]], software: str | None) -> dict[str, Any]:
    doi = told.record.doi
    relations = [
        {"relation": relation, "identifier": doi, "resource_type": "dataset"}
        for relation in ("reviews", "isVariantFormOf")
    ]
    return {
        "title": f"Reproduction: {one_line(told.record.title)}"[:_LONGEST_TITLE],
        "description": "\n\n".join(_sentences(told)),
        "resource_type": "dataset",
        "creators": creators,
        "license": LICENSE,
        "keywords": ["reproduction", "verification", told.verdict],
        "version": "1",
        "relations": unique_relations([*relations, *software_relation(software)[0]]),
    }


def _sentences(told: VerificationFile) -> list[str]:
    record, tools = told.record, told.verified_with
    how = {
        "run": "its notebook was executed again from its own lock, and every declared result was compared",
        "sweep": "every point of it was executed again from its own lock, and every declared result was compared",
        "dataset": "every file of it was compared with its card",
    }[record.kind]
    same = sum(row.same for row in told.results)
    counted = f" {same} of {len(told.results)} results are the same." if told.results else ""
    machine = ", ".join(value for value in tools.platform.values() if value)
    what = f"The record {record.doi} ({one_line(record.title)}) was downloaded, and {how}."
    return [
        f"{what} Verdict: {told.verdict}.{counted}",
        *([told.reason] if told.reason else []),
        f"Verified with Braggbook {tools.braggbook}, Python {tools.python}, on {machine}.",
    ]


def _readme(told: VerificationFile, facts: Mapping[str, Any]) -> str:
    lines = [f"# {facts['title']}", ""]
    for sentence in _sentences(told):
        lines += [sentence, ""]
    lines += [f"The zip was {told.record.zip}, sha256 {told.record.sha256}.", ""]
    lines += [
        f"`{REPRODUCTION}` has every result, its repetition and its tolerance. To verify the record yourself:",
        "",
    ]
    lines += ["```", f"pip install braggbook && braggbook verify {told.record.doi}", "```", ""]
    return "\n".join(lines)
