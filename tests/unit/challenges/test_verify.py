"""Verifying a closed challenge: a whole one is believed, and whatever was changed in one is found and named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from braggbook.challenges.closed_folder import open_closed
from braggbook.challenges.signing import new_key, sign
from braggbook.challenges.verify import check_closed, verify_closed
from braggbook.challenges.verify_row import RowVerification, verify_row
from braggbook.cli.main import main
from braggbook.datasets.catalogue import open_dataset
from braggbook.errors import InputError, RecordError, UnknownName
from braggbook.files import sha256_bytes, write_bytes, write_json
from braggbook.formats.dataset import CARD_NAME, write_card
from braggbook.formats.submission import Evaluation, Sealed
from braggbook.testing.challenges import ANNA, BEN, LATE, NET, Made, closed_challenge, relist, resign

Change = Callable[[Path, Made], None]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A closed challenge with its truth."""
    return closed_challenge(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def withheld(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A closed challenge without."""
    return closed_challenge(tmp_path_factory.mktemp("withheld"), truth="withheld")


@pytest.fixture
def copy(published: Made, tmp_path: Path) -> Path:
    """A closed challenge to spoil."""
    return Path(shutil.copytree(published.folder, tmp_path / "copy"))


def of_team(folder: Path, team: str, phase: str = "last") -> Path:
    """Returns the folder of a team's evaluation."""
    paths = folder.glob("evaluations/*/evaluation.json")
    found = {path.parent: Evaluation.model_validate_json(path.read_bytes()) for path in paths}
    return next(path for path, made in found.items() if (made.team, made.phase) == (team, phase))


def run_of(folder: Path, team: str) -> Path:
    """Returns the scoring run of a team's last submission."""
    made = Evaluation.model_validate_json((of_team(folder, team) / "evaluation.json").read_bytes())
    assert made.scorer is not None
    return folder / "runs" / made.scorer.run


def edit(path: Path, change: Callable[[Any], Any]) -> None:
    """Changes a file of JSON."""
    data = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, change(data) or data)


def replace_in(path: Path, old: str, new: str) -> None:
    """Changes a text, which must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def redraw(folder: Path) -> None:
    """Changes the first number of a dataset, and lets its card say so."""
    dataset = open_dataset(folder)
    file = dataset.card.files[0]
    lines = (folder / file.path).read_text(encoding="utf-8").splitlines()
    name, value = lines[1].split(",")
    data = "\n".join([lines[0], f"{name},{float(value) + 1}", *lines[2:], ""]).encode()
    write_bytes(folder / file.path, data)
    file = file.model_copy(update={"sha256": sha256_bytes(data), "bytes": len(data)})
    write_card(folder / CARD_NAME, dataset.card.model_copy(update={"files": (file,)}))


def findings(folder: Path) -> dict[str, str]:
    """Returns what each check has found."""
    found, _ = check_closed(folder)
    return {check.name: "\n".join(map(str, check.issues)) for check in found.checks if check.outcome == "failed"}


def test_a_whole_one_passes_every_check(published: Made) -> None:
    found, opened = check_closed(published.folder)
    assert [(check.name, check.outcome) for check in found.checks] == [
        (name, "passed") for name in ("files", "design", "seal", "signatures", "board")
    ]
    assert opened is not None
    assert [row.team for row in opened.boards["board.json"].rows] == [NET, ANNA, BEN]
    assert [one.team for one in opened.boards["board.json"].left] == [LATE]
    assert found.notes == []


def test_what_is_no_closed_challenge_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="not a closed challenge"):
        check_closed(tmp_path)
    (tmp_path / "closed.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RecordError, match="a file that is not valid"):
        check_closed(tmp_path)


# What is not listed, or not as it is listed


def test_files_that_are_changed_missing_or_links_are_named(copy: Path) -> None:
    (copy / "index.html").write_text("<p>all won</p>", encoding="utf-8")
    (copy / "bias.html").unlink()
    (copy / "README.txt").rename(copy.parent / "README.txt")
    (copy / "README.txt").symlink_to(copy.parent / "README.txt")
    (copy / ".DS_Store").write_bytes(b"")
    found, _ = check_closed(copy)
    told = [str(issue) for issue in found.checks[0].issues]
    assert [text.partition(";")[0] for text in told] == [
        "README.txt: a link", "bias.html: missing", "index.html: changed since it was closed",
    ]  # fmt: skip
    assert [check.outcome for check in found.checks[1:]] == ["passed"] * 4
    assert found.notes == ["not listed in closed.json, and ignored: .DS_Store"]


def test_without_its_design_nothing_can_be_said(copy: Path) -> None:
    (copy / "design" / "challenge.toml").unlink()
    found, opened = check_closed(copy)
    assert (found.verdict, opened) == ("drifted", None)
    assert "no challenge's design" in found.reason
    relist(copy)
    assert check_closed(copy)[0].verdict == "not verifiable"


# Somebody who lists everything anew, but has not the organiser's key


def score_changed(folder: Path, made: Made) -> None:
    edit(of_team(folder, BEN) / "evaluation.json", lambda data: data["cases"]["error"].update(final_00=0.0))


def swapped(folder: Path, made: Made) -> None:
    one, other = (of_team(folder, team) / "evaluation.json" for team in (ANNA, BEN))
    first, second = one.read_bytes(), other.read_bytes()
    write_bytes(one, second)
    write_bytes(other, first)


def rank_changed(folder: Path, made: Made) -> None:
    for name in ("board.json", "boards/last.json"):
        edit(folder / name, lambda data: data["rows"][2].update(rank=1.0))


def truth_changed(folder: Path, made: Made) -> None:
    redraw(folder / "hidden" / "final@1" / "truth")


def truth_unlike_its_card(folder: Path, made: Made) -> None:
    path = folder / "hidden" / "final@1" / "truth" / "truth.csv"
    write_bytes(path, path.read_bytes() + b"\n")


def inputs_changed(folder: Path, made: Made) -> None:
    redraw(folder / "hidden" / "final@1" / "inputs")


def released_inputs_changed(folder: Path, made: Made) -> None:
    redraw(folder / "design" / "inputs" / "final")


def salt_changed(folder: Path, made: Made) -> None:
    (folder / "hidden" / "final@1" / "salt").write_text("0" * 64, encoding="ascii")


def salt_is_none(folder: Path, made: Made) -> None:
    (folder / "hidden" / "final@1" / "salt").write_text("salt", encoding="ascii")


def hidden_removed(folder: Path, made: Made) -> None:
    shutil.rmtree(folder / "hidden" / "final@1")


def receipt_removed(folder: Path, made: Made) -> None:
    (of_team(folder, ANNA) / "receipt.json").unlink()


def evaluation_removed(folder: Path, made: Made) -> None:
    shutil.rmtree(of_team(folder, ANNA))


def design_changed(folder: Path, made: Made) -> None:
    replace_in(folder / "design" / "challenge.toml", "mean_then_rank", "median_then_rank")


def scorer_changed(folder: Path, made: Made) -> None:
    replace_in(folder / "design" / "score.ipynb", ".abs()", ".abs() * 0")


def lock_changed(folder: Path, made: Made) -> None:
    replace_in(folder / "design" / "kernels" / "radiobiology" / "requirements.lock", "==", "== ")


def signed_by_another(folder: Path, made: Made) -> None:
    key = folder.parent / "other.pem"
    new_key(key)
    path = of_team(folder, ANNA) / "evaluation.json"
    one = Evaluation.model_validate_json(path.read_bytes())
    write_json(path, one.signed(sign(key, one.message)).model_dump(mode="json"))


def key_changed(folder: Path, made: Made) -> None:
    key = new_key(folder.parent / "other.pem")
    path = folder / "design" / "sealed.json"
    write_json(path, Sealed.model_validate_json(path.read_bytes()).model_copy(update={"key": key}).model_dump())


def unsigned(folder: Path, made: Made) -> None:
    edit(of_team(folder, ANNA) / "receipt.json", lambda data: data.update(signature=None))


def estimate_changed(folder: Path, made: Made) -> None:
    redraw(of_team(folder, BEN) / "estimate")


def handed_in_changed(folder: Path, made: Made) -> None:
    made_of = json.loads((of_team(folder, BEN) / "evaluation.json").read_text(encoding="utf-8"))["submission"]
    path = folder / "submissions" / made_of / "received" / "predictions.csv"
    write_bytes(path, path.read_bytes() + b"\n")


def submission_changed(folder: Path, made: Made) -> None:
    made_of = json.loads((of_team(folder, BEN) / "evaluation.json").read_text(encoding="utf-8"))["submission"]
    edit(folder / "submissions" / made_of / "submission.json", lambda data: data.update(received="2026-01-01T00:00:00"))


def board_removed(folder: Path, made: Made) -> None:
    (folder / "boards" / "practice.json").unlink()


def phase_forgotten(folder: Path, made: Made) -> None:
    edit(folder / "closed.json", lambda data: data.update(phases=["last"]))


def claims_to_withhold(folder: Path, made: Made) -> None:
    edit(folder / "closed.json", lambda data: data.update(truth="withheld"))


def receipt_says_otherwise(folder: Path, made: Made) -> None:
    resign(made, of_team(folder, BEN) / "receipt.json", verdict="refused")


def never_sealed(folder: Path, made: Made) -> None:
    resign(made, of_team(folder, BEN) / "evaluation.json", truth_version=2)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (score_changed, {"signatures": "the evaluation is not signed by the organiser", "board": "rows[2].scores"}),
        (swapped, {"signatures": "another evaluation"}),
        (rank_changed, {"board": "boards/last.json rows[2].rank: not what the evaluations give; wanted 3.0, got 1.0"}),
        (truth_changed, {"seal": "hidden/final@1: the truth or its salt is not what was sealed"}),
        (truth_unlike_its_card, {"seal": "hidden/final@1/truth/truth.csv: not the file of its card"}),
        (inputs_changed, {"seal": "hidden/final@1/inputs: another dataset"}),
        (released_inputs_changed, {"seal": "design/inputs/final: another dataset"}),
        (salt_changed, {"seal": "hidden/final@1: the truth or its salt is not what was sealed"}),
        (salt_is_none, {"seal": "hidden/final@1/salt: no salt"}),
        (hidden_removed, {"seal": "hidden/final@1: missing"}),
        (receipt_removed, {"signatures": ": no receipt"}),
        (evaluation_removed, {"board": "rows"}),
        (design_changed, {"design": "made by another design", "board": "method"}),
        (scorer_changed, {"design": "scored by another notebook than the design's"}),
        (lock_changed, {"design": "scored in another environment"}),
        (signed_by_another, {"signatures": "the evaluation is not signed by the organiser"}),
        (key_changed, {"signatures": "the receipt is not signed by the organiser", "board": "key"}),
        (unsigned, {"signatures": "the receipt is not signed by the organiser"}),
        (estimate_changed, {"signatures": "estimate: another dataset"}),
        (handed_in_changed, {"signatures": "predictions.csv: not the file that was handed in"}),
        (submission_changed, {"signatures": "another received than its submission's"}),
        (board_removed, {"board": "boards/practice.json: a file that cannot be read"}),
        (phase_forgotten, {"signatures": "of a phase without a board"}),
        (claims_to_withhold, {"design": "another truth than the design's", "board": "truth"}),
        (receipt_says_otherwise, {"signatures": "the receipt says another verdict than the evaluation"}),
        (never_sealed, {"seal": "a truth that was never sealed"}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_tampering_is_found_and_named(published: Made, copy: Path, change: Change, told: dict[str, str]) -> None:
    change(copy, published)
    relist(copy)
    found = findings(copy)
    assert "files" not in found
    for check, text in told.items():
        assert text in found[check]


# Rows: what is looked at before anything is executed


def row_of(folder: Path, made: Made, team: str = ANNA) -> RowVerification:
    opened = open_closed(folder)
    row = next(row for row in opened.boards["board.json"].rows if row.team == team)
    return verify_row(opened, row, phase="last", settings=made.settings)


def notebook_of_run_changed(folder: Path, made: Made) -> None:
    replace_in(run_of(folder, ANNA) / "notebook" / "score.ipynb", ".abs()", ".abs() * 1")


def wheel_of_run_changed(folder: Path, made: Made) -> None:
    next((run_of(folder, ANNA) / "software").iterdir()).write_bytes(b"mine")


def lock_of_run_changed(folder: Path, made: Made) -> None:
    replace_in(run_of(folder, ANNA) / "kernel" / "requirements.lock", "==", "== ")


def data_of_run_changed(folder: Path, made: Made) -> None:
    redraw(run_of(folder, ANNA) / "datasets" / "truth")


def identity_of_run_changed(folder: Path, made: Made) -> None:
    edit(run_of(folder, ANNA) / "run.json", lambda data: data["identity"].update(seed=1))


def run_of_another(folder: Path, made: Made) -> None:
    target = run_of(folder, ANNA)
    shutil.rmtree(target)
    shutil.copytree(run_of(folder, BEN), target)


def results_changed(folder: Path, made: Made) -> None:
    edit(run_of(folder, ANNA) / "results.json", lambda data: data["results"]["mean_error"].update(value=0.0))


def run_removed(folder: Path, made: Made) -> None:
    shutil.rmtree(run_of(folder, ANNA))


@pytest.mark.parametrize(
    ("change", "verdict", "told"),
    [
        (design_changed, "drifted", "design: another design"),
        (scorer_changed, "drifted", "design: another scoring notebook of the design"),
        (notebook_of_run_changed, "drifted", "not the notebook of its id"),
        (wheel_of_run_changed, "drifted", "not the wheel of its id"),
        (lock_of_run_changed, "drifted", "not the lock of its id"),
        (data_of_run_changed, "drifted", "not the dataset truth@1 of its id"),
        (identity_of_run_changed, "drifted", "another run"),
        (run_of_another, "drifted", "a run under another's id"),
        (results_changed, "drifted", "other scores of all cases than the evaluation's"),
        (truth_changed, "drifted", "hidden/final@1/truth: another dataset"),
        (signed_by_another, "drifted", "no evaluation that the organiser signed"),
        (swapped, "drifted", "the evaluation of another submission"),
        (run_removed, "not verifiable", "its scoring run is missing"),
        (hidden_removed, "not verifiable", "its hidden cases are missing"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_row_on_something_else_is_not_executed(
    published: Made, copy: Path, change: Change, verdict: str, told: str
) -> None:
    change(copy, published)
    found = row_of(copy, published)
    assert (found.verdict, found.scoring) == (verdict, None)
    assert told in found.reason


def test_a_row_that_is_bound_to_its_run_is_executed(published: Made) -> None:
    found = row_of(published.folder, published)
    assert found.issues == []
    assert found.scoring is not None  # the stand-in for Braggbook's wheel is where the execution ends
    assert (found.verdict, "not a zip" in found.reason) == ("not verifiable", True)


# A truth that was withheld


def test_of_a_withheld_truth_the_board_is_verified_and_no_row(withheld: Made) -> None:
    found = verify_closed(withheld.folder, settings=withheld.settings)
    assert {check.name: check.outcome for check in found.checks} == {
        "files": "passed", "design": "passed", "seal": "withheld", "signatures": "passed", "board": "passed",
    }  # fmt: skip
    assert {(row.verdict, row.reason) for row in found.rows} == {("not verifiable", "truth withheld")}
    assert found.verdict == "identical"
    assert found.reason == (
        "the board was made again from the signed evaluations; a row's own verdict is not verifiable: truth withheld"
    )
    assert not (withheld.folder / "hidden").exists()


def test_of_a_withheld_truth_a_row_s_own_verdict_says_so(withheld: Made) -> None:
    found = verify_closed(withheld.folder, settings=withheld.settings, row=BEN.lower())
    assert found.verdict == "not verifiable"
    assert {row.team for row in found.rows} == {BEN}
    assert "truth withheld" in found.reason
    assert "the board itself: identical" in found.reason


def test_a_withheld_truth_hides_no_tampering(withheld: Made, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(withheld.folder, tmp_path / "copy"))
    score_changed(folder, withheld)
    relist(folder)
    found = verify_closed(folder, settings=withheld.settings)
    assert found.verdict == "drifted"
    assert "signatures: " in found.reason
    assert "board: " in found.reason


def test_the_organiser_s_vault_opens_a_withheld_row(withheld: Made, tmp_path: Path) -> None:
    vaults = withheld.settings.vault
    found = verify_closed(withheld.folder, settings=withheld.settings, row=ANNA, vault=vaults)
    assert {check.name: check.outcome for check in found.checks}["seal"] == "passed"
    assert [(row.issues, row.scoring is None) for row in found.rows] == [([], False)] * 2
    assert found.notes == ["the hidden cases and the scoring runs are those of the organiser's vault"]
    others = tmp_path / "vaults" / withheld.challenge.slug
    others.mkdir(parents=True)
    new_key(others / "key.pem")
    assert open_closed(withheld.folder, vault=others.parent).vault is None


def test_a_team_that_stands_on_no_board_is_not_guessed_at(withheld: Made) -> None:
    with pytest.raises(UnknownName, match="did you mean Anna") as caught:
        verify_closed(withheld.folder, settings=withheld.settings, row="Ana")
    assert "no team on the board named 'Ana'" in str(caught.value)


# The command


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Somebody who has no vault."""
    for name in ("VAULT", "CACHE", "ARCHIVE"):
        monkeypatch.setenv(f"BRAGGBOOK_{name}", str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("alone")
def test_the_command_says_checks_and_rows_and_exits_by_the_verdict(withheld: Made) -> None:
    whole = CliRunner().invoke(main, ["verify", str(withheld.folder)])
    assert whole.exit_code == 0, whole.output
    for text in ("signatures", "withheld", "Ben & Co.", "identical: the board was made again"):
        assert text in whole.stdout
    row = CliRunner().invoke(main, ["verify", str(withheld.folder), "--row", ANNA, "--json"])
    assert row.exit_code == 3
    data = json.loads(row.stdout)
    assert (data["verdict"], [one["team"] for one in data["rows"]]) == ("not verifiable", [ANNA, ANNA])
    assert [check["name"] for check in data["checks"]] == ["files", "design", "seal", "signatures", "board"]


@pytest.mark.usefixtures("alone")
def test_only_a_board_has_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only a board has rows"):
        CliRunner().invoke(main, ["verify", "abc", "--row", ANNA], standalone_mode=False, catch_exceptions=False)
