"""A closed challenge as a record: what is said of it, exactly which files go, and what keeps it here."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from braggbook.errors import InputError, NotVerifiable, RecordError, UnknownName
from braggbook.files import sha256_file, write_json
from braggbook.formats.common import Author
from braggbook.formats.dataset import CARD_NAME, Source, write_card
from braggbook.formats.record import Relation
from braggbook.records.archives import Shelf
from braggbook.records.board_plan import plan_board, read_closed
from braggbook.records.plans import find_what, plan_what
from braggbook.records.receive import receive
from braggbook.records.repeat import told, verify_received
from braggbook.records.run_plan import Planned
from braggbook.testing.challenges import ANNA, BEN, SLUG, Made, closed_challenge, relist

from ..datasets.dataset_helpers import COUNTS, card_of, entry
from .plan_helpers import GITHUB, SCRUBBER

SOFTWARE = "10.5281/zenodo.1234"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A closed challenge with its truth."""
    return closed_challenge(tmp_path_factory.mktemp("made"), teams=(ANNA, BEN))


@pytest.fixture
def copy(made: Made, tmp_path: Path) -> Path:
    """A closed challenge to change."""
    return Path(shutil.copytree(made.folder, tmp_path / "copy"))


def plan(folder: Path, **more: object) -> Planned:
    return plan_board(folder, folder.parent / "deposit", scrubber=SCRUBBER, **more)  # type: ignore[arg-type]


def test_it_says_who_what_how_ranked_and_how_to_check(copy: Path) -> None:
    planned = plan(copy, software=SOFTWARE).plan
    said = planned.metadata
    assert (planned.kind, planned.source, planned.doi) == ("board", SLUG, None)
    assert (said.title, said.license, said.keywords) == ("Board of: A tiny challenge", "CC-BY-4.0", ["test"])
    assert [(creator.name, creator.orcid) for creator in said.creators] == [("Lovelace, Ada", "0000-0002-1825-0097")]
    assert said.version == sha256_file(copy / "closed.json")[:12]
    for text in (
        "Dose from a signal that is twice as large.",
        "Practice (2027-01-01T00:00+01:00 to 2027-02-01T00:00+01:00), 12 cases: 1. Anna, 2. Ben & Co.",
        "by error (absolute_error@1), mean_error (mean_absolute_error@1); teams are ranked by the mean over the cases",
        "95% of 100 bootstrap draws",
        "every row can be repeated",
        "braggbook verify with the DOI of this record",
    ):
        assert text in said.description
    assert [(one.relation, one.identifier) for one in said.relations] == [("isCompiledBy", SOFTWARE)]


def test_of_a_withheld_truth_it_says_why_and_what_cannot_be_done(tmp_path: Path) -> None:
    closed = closed_challenge(tmp_path / "withheld", truth="withheld", teams=(ANNA,))
    said = plan(closed.folder).plan.metadata
    assert "The truth is withheld: The cases are wanted again." in said.description
    assert "a row cannot be repeated by others" in said.description


def test_the_zip_has_what_is_listed_and_opens_from_disk(copy: Path) -> None:
    planned = plan(copy)
    (name,) = planned.paths
    assert name == f"{SLUG}-board-{planned.plan.metadata.version}.zip"
    with zipfile.ZipFile(planned.paths[name]) as zipped:
        assert set(zipped.namelist()) == {*read_closed(copy).files, "closed.json"}
        assert zipped.read("index.html") == (copy / "index.html").read_bytes()
    assert plan(copy).plan.digest == planned.plan.digest


def test_relations_to_data_and_to_records_of_rows(copy: Path, tmp_path: Path) -> None:
    for name in ("board.json", "boards/last.json"):
        board = json.loads((copy / name).read_text(encoding="utf-8"))
        board["rows"][0]["doi"] = "10.5281/zenodo.77"
        write_json(copy / name, board)
    toml = copy / "design" / "challenge.toml"
    text = toml.read_text(encoding="utf-8")
    toml.write_text(text.replace("[data]\n", '[data]\ntraining = ["counts@1", "others@1"]\n'), encoding="utf-8")
    closed = json.loads((copy / "closed.json").read_text(encoding="utf-8"))
    write_json(copy / "closed.json", {**closed, "doi": "10.5281/zenodo.99"})
    relist(copy)
    source = Source(id="paper", citation="A paper", doi="10.1667/rr1")
    card = card_of(entry(COUNTS), authors=(Author(name="Ada Lovelace"),), sources=(source,))
    (tmp_path / "project" / "datasets" / "counts").mkdir(parents=True)
    write_card(tmp_path / "project" / "datasets" / "counts" / CARD_NAME, card)
    variant = Relation(relation="cites", identifier="10.5281/zenodo.5")
    planned = plan(copy, project=tmp_path / "project", relations=[variant]).plan
    assert [(one.relation, one.identifier, one.resource_type) for one in planned.metadata.relations] == [
        ("references", "10.1667/rr1", "publication"),
        ("hasPart", "10.5281/zenodo.77", "dataset"),
        ("cites", "10.5281/zenodo.5", "other"),
    ]
    assert "a DOI or address of any source of others@1" in planned.missing
    assert planned.doi == "10.5281/zenodo.99"


def test_what_is_not_as_it_was_closed_is_not_sent(copy: Path) -> None:
    (copy / "board.json").write_text("{}", encoding="utf-8")
    (copy / "bias.html").unlink()
    (copy / "extra.txt").write_text("mine", encoding="utf-8")
    (copy / "README.txt").rename(copy.parent / "README.txt")
    (copy / "README.txt").symlink_to(copy.parent / "README.txt")
    with pytest.raises(InputError, match="the closed challenge is not as it was") as caught:
        plan(copy)
    assert {(issue.what, issue.where) for issue in caught.value.issues} == {
        ("a link", "README.txt"),
        ("missing", "bias.html"),
        ("changed since it was closed", "board.json"),
        ("not listed in closed.json", "extra.txt"),
    }


def test_a_link_to_a_folder_is_one(copy: Path) -> None:
    shutil.move(copy / "boards", copy.parent / "boards")
    (copy / "boards").symlink_to(copy.parent / "boards")
    with pytest.raises(InputError) as caught:
        plan(copy)
    found = {(issue.what, issue.where) for issue in caught.value.issues}
    assert {("a link", "boards/last.json"), ("not listed in closed.json", "boards")} <= found


def test_what_would_tell_too_much_is_not_sent(copy: Path) -> None:
    path = next(copy.glob("submissions/*/received/predictions.csv"))
    path.write_text(f"{path.read_text(encoding='utf-8')}# {GITHUB}\n", encoding="utf-8")
    relist(copy)
    with pytest.raises(InputError, match="it would tell more than it should") as caught:
        plan(copy)
    assert [issue.what for issue in caught.value.issues] == ["a GitHub token"]
    assert GITHUB not in str(caught.value)


def test_something_else_is_no_closed_challenge(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="not a closed challenge"):
        plan(tmp_path)
    (tmp_path / "closed.json").write_text('{"format": "braggbook.closed/1"}', encoding="utf-8")
    with pytest.raises(RecordError, match="the key 'files' is missing"):
        plan(tmp_path)


# By its name


def test_it_is_found_by_the_challenge_s_slug_and_by_its_folder(made: Made) -> None:
    for name in (SLUG, str(made.folder)):
        assert find_what(name, settings=made.settings) == ("board", made.folder)
    planned, place = plan_what(SLUG, settings=made.settings, archive="folder")
    assert (planned.plan.kind, place) == ("board", made.settings.runs / "records" / SLUG / "folder")
    with pytest.raises(UnknownName, match="did you mean tiny_dose") as caught:
        find_what("tiny_dos", settings=made.settings)
    assert "nor a board" in caught.value.what


# On its way back


def test_its_zip_is_known_for_what_it_is(copy: Path, tmp_path: Path) -> None:
    (path,) = plan(copy).paths.values()
    received = receive(str(path), shelf=Shelf(tmp_path / "archive", {}), cache=tmp_path / "cache")
    assert received.kind == "board"
    assert told(received).startswith('"Board of: A tiny challenge", by Lovelace, Ada, from tiny_dose-board-')
    assert read_closed(received.folder).challenge == SLUG
    with pytest.raises(NotVerifiable, match="a board is no run"):
        verify_received(received, settings=None)  # type: ignore[arg-type]
