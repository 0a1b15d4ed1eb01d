"""A closed challenge as a record: its folder in one zip, its metadata from its design and its board."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from braggbook.datasets.catalogue import find_dataset
from braggbook.errors import BraggbookError, InputError, Issue, RecordError
from braggbook.files import sha256_file
from braggbook.formats.board import BOARD_NAME, CLOSED_NAME, Board, Closed, Row
from braggbook.formats.challenge import Design, Phase
from braggbook.formats.common import CHALLENGE_NAME, issues_from, read_toml
from braggbook.formats.dataset import CARD_NAME
from braggbook.formats.notebook import DatasetReference
from braggbook.formats.record import PublishPlan, Relation
from braggbook.formats.run import FileRecord
from braggbook.records.bundle import write_bundle
from braggbook.records.metadata import bare_identifier, checked_metadata, funding_facts, one_line
from braggbook.records.people import creators_of, missing_of
from braggbook.records.run_plan import (
    Planned,
    kind_of,
    refuse_links,
    require_sendable,
    software_relation,
    unique_relations,
)
from braggbook.runs.scrub import Scrubber

BOARDS, DESIGN = "boards", "design"  # of a closed challenge; boards are also what lies below the runs
_ID_DIGITS = 12
_Model = TypeVar("_Model", bound=BaseModel)
_HOW = (
    "index.html in the zip shows the board and opens from disk. To check it: pip install braggbook, then braggbook "
    "verify with the DOI of this record; --row TEAM repeats one row."
)
_METHODS = {
    "mean_then_rank": "teams are ranked by the mean over the cases",
    "median_then_rank": "teams are ranked by the median over the cases",
    "rank_then_mean": "teams are ranked case by case, then by the mean of these ranks",
    "rank_then_median": "teams are ranked case by case, then by the median of these ranks",
    "test_then_rank": "teams are ranked by how many others each beats in a paired test",
}
_OWN_WORDS = (CARD_NAME, CHALLENGE_NAME, ".ipynb", ".md")  # ends of files that people write for all to read


def plan_board(
    folder: Path,
    target: Path,
    *,
    scrubber: Scrubber,
    project: Path | None = None,
    software: str | None = None,
    version_of: str | None = None,
    relations: Iterable[Relation] = (),
) -> Planned:
    """Plans to publish a closed challenge.

    Args:
        folder: What ``braggbook challenge close`` made.
        target: The folder to write its zip to.
        scrubber: What must not be in it.
        project: Where the cards of training datasets are looked for.
        software: DOI or address of Braggbook.
        version_of: DOI of the record whose next version this is.
        relations: What else it stands in a relation to.

    Raises:
        InputError: A file is changed, missing, a link, or not listed; or something in it would identify a person or a
            machine; or the metadata lack something. All findings are listed.
        RecordError: It is no closed challenge.
    """
    closed = read_closed(folder)
    _require_whole(folder, closed)
    content: dict[str, Path | bytes] = {name: folder / name for name in (*closed.files, CLOSED_NAME)}
    refuse_links(folder, content)
    design, boards = read_design(folder), [read_board(path) for path in board_paths(folder, closed)]
    compiled_by, unknown = software_relation(software)
    learned_from, missing = _training(design.data.training, project)
    facts = _facts(closed, design, boards)
    facts["version"] = sha256_file(folder / CLOSED_NAME)[:_ID_DIGITS]
    parts = [_relation("hasPart", row.doi, "dataset") for row in rows_of(boards) if row.doi]
    more = [one.model_dump() for one in relations]
    facts["relations"] = unique_relations([*compiled_by, *learned_from, *parts, *more])
    own_words = _own_words(folder, closed)
    require_sendable(content, facts, where=closed.challenge, scrubber=scrubber, own_words=own_words)
    metadata = checked_metadata(facts)
    zipped = write_bundle(content, target / f"{closed.challenge}-board-{facts['version']}.zip")
    plan = PublishPlan(
        kind="board",
        source=closed.challenge,
        metadata=metadata,
        files=[zipped],
        missing=[*unknown, *missing, *missing_of(metadata.creators)],
        version_of=version_of,
        doi=closed.doi,
    )
    return Planned(plan, {zipped.name: target / zipped.name})


def read_closed(folder: Path) -> Closed:
    """Reads ``closed.json``.

    Raises:
        RecordError: There is none, or it is not one.
    """
    path = folder / CLOSED_NAME
    if not path.is_file():
        raise RecordError("not a closed challenge", where=str(folder), wanted=f"a folder with {CLOSED_NAME}")
    return _read(path, Closed)


def read_board(path: Path) -> Board:
    """Reads a board.

    Raises:
        RecordError: It is not there, or not one.
    """
    return _read(path, Board)


def read_design(folder: Path) -> Design:
    """Reads the design that a closed challenge had.

    Raises:
        RecordError: It is not there, or not one.
    """
    path = folder / DESIGN / CHALLENGE_NAME
    keys, lines = read_toml(path, what="challenge's design", error=RecordError)
    try:
        return Design.model_validate(keys)
    except ValidationError as error:
        where = f"{DESIGN}/{CHALLENGE_NAME}"
        issues = issues_from(error, where=where, known=Design, lines=lines)
        raise RecordError("the design is not valid", where=where, issues=issues) from None


def board_paths(folder: Path, closed: Closed) -> list[Path]:
    """Returns where the board of every phase lies, the last one first: ``board.json`` is the last phase's."""
    return [folder / BOARD_NAME, *(folder / BOARDS / f"{phase}.json" for phase in reversed(closed.phases))]


def rows_of(boards: Iterable[Board]) -> list[Row]:
    """Returns all rows of some boards, a row that stands on two of them once."""
    return list({row.evaluation: row for board in boards for row in board.rows}.values())


def changed_in(folder: Path, closed: Closed) -> list[Issue]:
    """Returns every file of a closed challenge that is missing, changed, or a link."""
    real = folder.resolve()
    return [issue for name, wanted in closed.files.items() if (issue := _changed(real, name, wanted))]


def unlisted_in(folder: Path, closed: Closed) -> list[str]:
    """Returns the names of files in the folder of a closed challenge that it does not list."""
    names = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if not _is_folder(path))
    return [name for name in names if name not in closed.files and name != CLOSED_NAME]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _changed(real: Path, name: str, wanted: FileRecord) -> Issue | None:
    path = real / name
    if path.is_symlink() or path.resolve() != path:
        return Issue("a link", name, "a file")
    if not path.is_file():
        return Issue("missing", name)
    try:
        got = sha256_file(path)
    except OSError as error:
        return Issue("unreadable", name, got=error.strerror or "")
    if got != wanted.sha256:
        return Issue("changed since it was closed", name, f"sha256 {wanted.sha256[:12]}…", f"{got[:12]}…")
    return None


def _require_whole(folder: Path, closed: Closed) -> None:
    issues = [*changed_in(folder, closed)]
    issues += [Issue(f"not listed in {CLOSED_NAME}", name) for name in unlisted_in(folder, closed)]
    if issues:
        command = f"braggbook verify {folder}"
        what = "the closed challenge is not as it was"
        raise InputError(what, where=closed.challenge, issues=issues, next_command=command)


def _read(path: Path, model: type[_Model]) -> _Model:
    try:
        return model.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        issues = issues_from(error, where=path.name, known=model)
        raise RecordError("a file that is not valid", where=path.name, issues=issues) from None
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError("a file that cannot be read", where=path.name, got=str(error)) from None


def _facts(closed: Closed, design: Design, boards: list[Board]) -> dict[str, Any]:
    return {
        "title": f"Board of: {one_line(closed.title)}",
        "description": "\n\n".join([design.abstract.strip(), *_told(closed, design, boards), _HOW]),
        "resource_type": "dataset",
        "creators": creators_of(design.organisation.organisers),
        "license": closed.license,
        "keywords": list(design.keywords),
        "funding": funding_facts(design.organisation.funding),
    }


def _told(closed: Closed, design: Design, boards: list[Board]) -> Iterable[str]:
    """Yields what a reader should know of a board before he opens it, a paragraph each."""
    by_phase = {board.phase: board for board in boards}
    for id in closed.phases:
        phase = design.phase(id)
        if phase is not None and id in by_phase:
            yield _told_of_phase(phase, by_phase[id])
    rules = design.ranking
    ranked = ", ".join(f"{metric.id} ({metric.definition})" for metric in design.metrics if metric.ranked)
    yield (
        f"Ranking: by {ranked}; {_METHODS[rules.method]}. Rank intervals: {rules.level:.0%} of {rules.draws} "
        "bootstrap draws over the cases."
    )
    if closed.truth == "published":
        yield "The hidden cases, their truth and its salt are published with it: every row can be repeated."
    else:
        yield (
            f"The truth is withheld: {design.why_withheld.strip()} The board can be made again from the signed "
            "evaluations; a row cannot be repeated by others."
        )


def _told_of_phase(phase: Phase, board: Board) -> str:
    when = " to ".join(moment.isoformat(timespec="minutes") for moment in (phase.opens, phase.closes))
    teams = ", ".join(f"{row.rank:g}. {row.team}" for row in board.rows) or "nobody"
    return f"{phase.title} ({when}), {board.cases} cases: {teams}" + ("" if teams.endswith(".") else ".")


def _training(references: Iterable[DatasetReference], project: Path | None) -> tuple[list[dict[str, Any]], list[str]]:
    """Returns what participants could learn from, and what has no identifier to say it by."""
    found, missing = [], []
    for reference in references:
        identifiers = _identifiers(reference, project)
        found += [_relation("references", identifier, kind_of(identifier)) for identifier in identifiers]
        if not identifiers:
            missing.append(f"a DOI or address of any source of {reference}")
    return found, missing


def _identifiers(reference: str, project: Path | None) -> list[str]:
    try:
        card = find_dataset(reference, project=project).card if project is not None else None
    except BraggbookError:
        return []
    known = [source.doi or source.url for source in card.sources] if card is not None else []
    return [bare_identifier(identifier) for identifier in known if identifier]


def _relation(relation: str, identifier: str, resource_type: str) -> dict[str, Any]:
    return {"relation": relation, "identifier": identifier, "resource_type": resource_type}


def _own_words(folder: Path, closed: Closed) -> str:
    """Returns what people have written for all to read: the design, notebooks, and the cards of datasets."""
    names: Mapping[str, FileRecord] = closed.files
    texts = (folder / name for name in names if name.endswith(_OWN_WORDS))
    return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in texts)
