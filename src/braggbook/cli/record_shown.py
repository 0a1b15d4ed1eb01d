"""Plans, deposits and records as people read them in a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from braggbook.cli.face import Face, table

if TYPE_CHECKING:
    from braggbook.formats.record import Creator, Deposit, Funding, PublishPlan
    from braggbook.records.archive import Record

MOST_MEMBERS = 60  # lines of what is in a zip, from its beginning; --json has all
STEPS = {
    "begun": "nothing is there yet",
    "drafted": "a draft without all its files",
    "uploaded": "a draft, complete",
    "publishing": "being published; nobody has seen the end of it",
    "published": "published, not yet read back",
    "checked": "published, and read back identical",
}


def plain(value: Any) -> str:
    """Returns what others wrote as one line that a terminal only shows: no control character does anything."""
    text = "" if value is None else str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)


def grid(*titles: str, rows: Sequence[Sequence[Any]]) -> Any:
    """Returns a table whose cells are text of others, and no markup of ours."""
    return table(*(plain(title) for title in titles), rows=[tuple(plain(cell) for cell in row) for row in rows])


def plan_lines(plan: PublishPlan, *, archive: str, members: dict[str, list[dict[str, Any]]]) -> Iterator[Any]:
    """Yields a plan: what is said of it, how it stands to others, its files and what is in them, what is missing.

    Args:
        plan: What would be sent.
        archive: Where to.
        members: What is in each zip, by its name.
    """
    yield grid("", "", rows=list(_about(plan, archive)))
    yield Text("\n" + "\n\n".join(plain(part) for part in plan.metadata.description.split("\n\n")) + "\n")
    if plan.metadata.relations:
        relations = [(one.relation, one.identifier, one.resource_type) for one in plan.metadata.relations]
        yield from (grid("relation", "to", "which is", rows=relations), "")
    rows = [(file.name, f"{file.bytes:,}", file.sha256) for file in plan.files]
    yield from (grid("file", "bytes", "sha256", rows=rows), "")
    for name, inside in members.items():
        rows = [(one["name"], f"{one['bytes']:,}", one["sha256"][:16]) for one in inside[:MOST_MEMBERS]]
        yield grid(f"in {name}", "bytes", "sha256 begins", rows=rows)
        if len(inside) > MOST_MEMBERS:
            yield Text(f"and {len(inside) - MOST_MEMBERS:,} more files; --json has all")
        yield ""
    yield from (Text(f"missing  {plain(text)}", style="yellow") for text in plan.missing)


def _about(plan: PublishPlan, archive: str) -> Iterator[tuple[str, str]]:
    """Yields what is said of a record, what is not known left out."""
    said = plan.metadata
    creators = [("creator", _creator(creator)) for creator in said.creators]
    funding = [("funding", _funding(one)) for one in said.funding]
    facts = [
        ("to", archive), ("title", said.title), *creators, ("licence", said.license), ("language", said.language),
        ("version", said.version), ("keywords", ", ".join(said.keywords)), ("subjects", ", ".join(said.subjects)),
        *funding, ("kind", f"{plan.kind}, as {said.resource_type}"), ("notes", said.notes),
        ("next version of", plan.version_of), ("reserved DOI", plan.doi), ("digest", plan.digest),
    ]  # fmt: skip
    return ((name, str(value)) for name, value in facts if value)


def _creator(creator: Creator) -> str:
    kind = "organisation" if creator.type == "organizational" else ""
    orcid = f"ORCID {creator.orcid}" if creator.orcid else ""
    return "; ".join(filter(None, (creator.name, kind, orcid, creator.affiliation, creator.ror)))


def _funding(funding: Funding) -> str:
    award = f"award {funding.award}" if funding.award else ""
    return "; ".join(filter(None, (funding.funder, funding.funder_id, award)))


def deposit_lines(deposit: Deposit) -> Iterator[Any]:
    """Yields how far a deposit has come, and where it can be seen.

    Servers with Zenodo's deposit API announce a DOI under Zenodo's own prefix, and may give another.
    """
    known = deposit.step in ("published", "checked") or deposit.archive in ("folder", "zenodo")
    yield Text(f"{STEPS[deposit.step]}: {plain((deposit.doi if known else None) or deposit.id or deposit.archive)}")
    if deposit.url:
        yield Text(plain(deposit.url))


def record_lines(record: Record, *, archive: str) -> Iterator[Any]:
    """Yields a published record: what it is, where it can be seen, its files."""
    facts = [
        ("title", record.title), ("DOI", record.doi), ("all versions", record.concept_doi),
        ("version", record.version), ("published", record.published), ("archive", archive), ("page", record.url),
        ("plan", record.plan),
    ]  # fmt: skip
    yield from (grid("", "", rows=[(name, value) for name, value in facts if value]), "")
    yield from (grid("file", "bytes", "md5", rows=[(f.name, f"{f.bytes:,}", f.md5) for f in record.files]), "")


def spelled(face: Face, *words: str) -> str:
    """Returns a command to be pasted into a shell, with the folders that this one was given."""
    given = [
        text
        for name in ("project", "runs")
        if face.origins[name] == "flag"
        for text in (f"--{name}", str(getattr(face.settings, name)))
    ]
    return shlex.join(["braggbook", *given, *words])
