"""A closed challenge gets a DOI in the folder archive, and anybody repeats its rows from that."""

from __future__ import annotations

import shlex
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from braggbook.testing.challenges import ANNA, LATE, NET, SLUG, Made, closed_challenge, relist

from .desk import Answer, Desk, Forks

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A closed challenge whose scoring notebook was executed."""
    folder = tmp_path_factory.mktemp("published")
    return closed_challenge(folder, teams=(ANNA, LATE), execute=True, embed_limit_mb=0)


@pytest.fixture
def desk(published: Made, forks: Forks, tmp_path: Path) -> Desk:
    """Its organiser."""
    shutil.copytree(published.settings.runs, tmp_path / "runs")
    more = {"BRAGGBOOK_CACHE": str(tmp_path / "cache"), "BRAGGBOOK_VAULT": str(tmp_path / "no_vault")}
    return Desk(forks, published.settings.project, tmp_path / "runs", tmp_path / "archive", more=more)


def verdicts(answer: Answer) -> dict[tuple[str, str], str]:
    return {(row["team"], row["phase"]): row["verdict"] for row in answer.json["rows"]}


def test_a_board_gets_a_doi_and_is_verified_from_it(desk: Desk, published: Made) -> None:
    assert not list(published.folder.glob("runs/*/datasets/*/*.csv"))  # they lie once, where every run finds them
    plan = desk.call("publish", "plan", SLUG, "--json").json
    assert (plan["kind"], plan["metadata"]["title"]) == ("board", "Board of: A tiny challenge")
    assert desk.call("publish", "push", SLUG, "--json").json["step"] == "uploaded"
    minted = desk.call("publish", "mint", SLUG, "--yes", "--json").json
    assert (minted["step"], shlex.split(minted["next"])) == ("checked", ["braggbook", "verify", minted["doi"]])
    (row,) = desk.call("list", "record", "--json").json
    assert (row["record"], row["made_of"]) == (minted["doi"], SLUG)

    whole = desk.call("verify", minted["doi"], "--json")
    assert (whole.code, whole.json["verdict"]) == (0, "identical"), whole.out
    assert {check["outcome"] for check in whole.json["checks"]} == {"passed"}
    assert verdicts(whole) == {(ANNA, "last"): "identical", (ANNA, "practice"): "identical"}
    assert (whole.json["record"]["kind"], whole.json["record"]["doi"]) == ("board", minted["doi"])
    assert 'about to run the scoring notebook of "A tiny challenge"' in whole.err

    one = desk.call("verify", minted["doi"], "--row", ANNA)
    assert one.code == 0, one.err
    assert one.out.rstrip().endswith("identical")
    nobody = desk.call("verify", minted["doi"], "--row", LATE)
    assert (nobody.code, "no team on the board named 'Late'" in nobody.err) == (2, True)
    signed = desk.call("verify", minted["doi"], "--publish", "--creator", "Curie, Marie")
    assert (signed.code, "verdicts on boards cannot be published" in signed.err) == (2, True)


def test_a_board_that_was_spoiled_on_its_way_drifts(desk: Desk, published: Made, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(published.folder, tmp_path / "spoiled"))
    for name in ("board.json", "boards/last.json"):
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_text(text.replace('"rank": 1.0', '"rank": 2.0'), encoding="utf-8")
    relist(folder)
    with zipfile.ZipFile(tmp_path / "spoiled.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    found = desk.call("verify", str(tmp_path / "spoiled.zip"), "--row", ANNA, "--json")
    assert (found.code, found.json["verdict"]) == (1, "drifted")
    assert "rows[0].rank: not what the evaluations give; wanted 1.0, got 2.0" in found.json["reason"]


def test_of_a_withheld_truth_only_the_organiser_repeats_a_row(
    forks: Forks, tmp_path: Path, needs: Callable[[str], str]
) -> None:
    needs("bwrap")
    made = closed_challenge(tmp_path / "withheld", truth="withheld", teams=(NET,), execute=True)
    desk = Desk(forks, made.settings.project, made.settings.runs, tmp_path / "archive")
    desk.more = {"BRAGGBOOK_CACHE": str(tmp_path / "cache"), "BRAGGBOOK_VAULT": str(tmp_path / "no_vault")}
    stranger = desk.call("verify", str(made.folder), "--row", NET)
    assert (stranger.code, "truth withheld" in stranger.out) == (3, True)
    assert desk.call("verify", str(made.folder), "--json").json["verdict"] == "identical"
    desk.more["BRAGGBOOK_VAULT"] = str(made.settings.vault)
    organiser = desk.call("verify", str(made.folder), "--row", NET, "--json")
    assert (organiser.code, organiser.json["verdict"]) == (0, "identical"), organiser.out
    assert {row["predictions"] for row in organiser.json["rows"]} == {"identical"}
