"""``braggbook challenge demo``: the whole story, and what a stranger can do with the DOI at its end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from braggbook.formats.board import Board
from braggbook.formats.submission import Receipt

from ..conftest import ROOT, Answer, Project

pytestmark = pytest.mark.full


@dataclass(frozen=True)
class Shown:
    """What the demo said, and where it was played."""

    folder: Path
    answer: Answer

    @property
    def said(self) -> dict[str, Any]:
        return dict(self.answer.json)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    folder = tmp_path_factory.mktemp("demo")
    env = {f"BRAGGBOOK_{name.upper()}": str(folder / name) for name in ("archive", "cache", "vault")}
    answer = Project(ROOT).call("--runs", folder / "runs", "challenge", "demo", "--json", env=env, timeout=1200)
    assert answer.code == 0, answer.err
    return Shown(folder, answer)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Another machine, which has nothing but the archive."""
    return Project(tmp_path_factory.mktemp("elsewhere"))


def verify(elsewhere: Project, shown: Shown, *words: str) -> Answer:
    places = {name: str(elsewhere.folder / name) for name in ("cache", "vault", "runs")}
    env = {f"BRAGGBOOK_{name.upper()}": place for name, place in places.items()}
    env |= {"BRAGGBOOK_ARCHIVE": str(shown.folder / "archive"), "HOME": str(elsewhere.folder)}
    return elsewhere.call("verify", *words, "--json", env=env, timeout=900)


def test_all_five_end_as_they_should(shown: Shown) -> None:
    assert shown.said["as_expected"] is True
    receipts = [Receipt.model_validate(one) for one in shown.said["receipts"]]
    assert {one.team: (one.verdict, one.charged) for one in receipts} == {
        "Baseline": ("scored", True),
        "Rule of thumb": ("scored", True),
        "Sleepers": ("timed out", True),
        "Not a number": ("refused", True),
        "Peepers": ("failed", True),
    }
    assert all(one.signature for one in receipts)
    assert [one.team for one in receipts if one.scores] == ["Baseline", "Rule of thumb"]


def test_who_looks_for_the_truth_finds_none(shown: Shown) -> None:
    (peeper,) = [one for one in shown.said["receipts"] if one["team"] == "Peepers"]
    assert peeper["problem"]["exception"] == "IndexError"  # of an empty list
    assert peeper["problem"]["source"][-1] == "labels[0]"


def test_the_board_is_a_page_that_opens_from_disk(shown: Shown) -> None:
    page = Path(shown.said["board"]).read_text(encoding="utf-8")
    closed = (Path(shown.said["closed"]) / "index.html").read_text(encoding="utf-8")
    assert all(name in text for name in ("Baseline", "Rule of thumb") for text in (page, closed))
    board = Board.model_validate_json((Path(shown.said["closed"]) / "board.json").read_bytes())
    assert {row.team: row.doi for row in board.rows} == shown.said["row_dois"]
    assert sorted(shown.said["row_dois"]) == ["Baseline", "Rule of thumb"]


def test_its_own_verification_is_identical(shown: Shown) -> None:
    said = shown.said["verification"]
    assert (said["verdict"], {check["outcome"] for check in said["checks"]}) == ("identical", {"passed"}), said
    assert [(row["team"], row["verdict"], row["predictions"]) for row in said["rows"]] == [
        ("Baseline", "identical", "identical")
    ]


def test_a_stranger_verifies_a_row_from_the_doi(shown: Shown, elsewhere: Project) -> None:
    answer = verify(elsewhere, shown, shown.said["doi"], "--row", "Baseline")
    assert answer.code == 0, answer.err
    said = answer.json
    assert (said["verdict"], said["challenge"]) == ("identical", "dicentric_dose")
    assert [(row["team"], row["verdict"]) for row in said["rows"]] == [("Baseline", "identical")]
    assert said["record"]["doi"] == shown.said["doi"]
    assert "Traceback" not in answer.err


def test_a_rows_own_record_is_verified_by_itself(shown: Shown, elsewhere: Project) -> None:
    answer = verify(elsewhere, shown, shown.said["row_dois"]["Rule of thumb"])
    assert (answer.code, answer.json["verdict"]) == (0, "identical"), answer.err


def test_the_project_that_it_was_played_from_is_as_it_was(shown: Shown) -> None:
    folder = ROOT / "challenges" / "dicentric_dose"
    assert not (folder / "sealed.json").exists()
    assert not (folder / "inputs").exists()
    played = shown.folder / "runs" / "challenge_demo" / "project"
    truths = [path.relative_to(played).parts[2:4] for path in played.rglob("truth.csv")]
    assert truths == [("twin", "truth")]
