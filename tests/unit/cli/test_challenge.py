"""``braggbook challenge`` and what list, show, new and check say of challenges; nothing here needs a kernel."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner, Result

from braggbook.challenges.closing import board_of
from braggbook.challenges.design import open_challenge
from braggbook.cli.challenge import group
from braggbook.cli.main import main
from braggbook.errors import BraggbookError, DuplicateName, InputError, UnknownName
from braggbook.formats.board import Board
from braggbook.formats.submission import Receipt, Sealed, Submission
from braggbook.testing.experiments import write_experiment

from ..challenges.organiser.desk import DAY, Desk, make_desk

VERBS = ["new", "check", "try", "open", "submit", "score", "board", "withdraw", "close", "demo"]
NOW = datetime.datetime.now(datetime.UTC)


@dataclass
class Line:
    """The command line, in the hands of an organiser."""

    desk: Desk

    def call(self, *words: str | Path) -> Result:
        settings = self.desk.settings
        places = {f"BRAGGBOOK_{name.upper()}": str(getattr(settings, name)) for name in ("vault", "cache", "archive")}
        given = ["--project", str(settings.project), "--runs", str(settings.runs), *map(str, words)]
        return CliRunner().invoke(main, given, env=places)

    def do(self, *words: str | Path, code: int = 0) -> str:
        answer = self.call(*words)
        assert answer.exit_code == code, (answer.output, answer.exception)
        assert code == 0 or isinstance(answer.exception, SystemExit), answer.exception
        return answer.stdout

    def say(self, *words: str | Path, code: int = 0) -> Any:
        return json.loads(self.do(*words, "--json", code=code))

    def fail(self, *words: str | Path) -> BraggbookError:
        answer = self.call(*words)
        assert isinstance(answer.exception, BraggbookError), (answer.output, answer.exception)
        return answer.exception

    def open(self, *words: str) -> str:
        inputs, truth = self.desk.draw(f"drawn{len(list(self.desk.folder.iterdir()))}")
        return self.do("challenge", "open", "signals", "--split", "final", "--inputs", inputs, "--truth", truth, *words)

    def submit(self, source: Path, *words: str, code: int = 0) -> Any:
        return self.say("challenge", "submit", "signals", source, "--team", "One", "--accept-terms", *words, code=code)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(make_desk(tmp_path, opens=NOW - DAY, closes=NOW + DAY))


# Help


def test_the_verbs_are_listed_in_the_order_of_their_use() -> None:
    page = CliRunner().invoke(main, ["challenge", "--help"]).output
    assert list(group.commands) == VERBS
    at = [page.index(f"\n  {name} ") for name in VERBS]
    assert at == sorted(at)
    assert "BRAGGBOOK_VAULT" in page


def test_help_waits_for_no_library() -> None:
    pages = [["challenge", *verb, "--help"] for verb in ([], *([name] for name in VERBS))]
    program = (
        "import sys; from braggbook.cli.main import main\n"
        f"for page in {pages!r}: main(page, standalone_mode=False)\n"
        "heavy = {'cryptography', 'jinja2', 'nbformat', 'numpy', 'pandas', 'pydantic', 'scipy', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_error_is_told_without_a_traceback(line: Line) -> None:
    words = [sys.executable, "-m", "braggbook", "--project", line.desk.settings.project, "challenge", "board", "signal"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "braggbook: no challenge named 'signal'; did you mean signals?", "next: braggbook list challenge",
    ]  # fmt: skip


@pytest.mark.parametrize("verb", ["check", "score", "board", "close"])
def test_every_verb_knows_which_challenges_there_are(line: Line, verb: str) -> None:
    error = line.fail("challenge", verb, "signal")
    assert isinstance(error, UnknownName)
    assert "did you mean signals?" in str(error)


@pytest.mark.parametrize("verb", ["try", "submit"])
def test_a_submission_must_be_there(line: Line, verb: str, tmp_path: Path) -> None:
    answer = line.call(
        "challenge", verb, "signals", tmp_path / "nowhere", *(["--team", "x"] if verb == "submit" else [])
    )
    assert answer.exit_code == 2
    assert "does not exist" in answer.output


# new, list, show, check


@pytest.mark.parametrize("words", [("challenge", "new", "noises"), ("new", "challenge", "noises")])
def test_a_new_challenge_can_be_checked_at_once(line: Line, words: tuple[str, ...]) -> None:
    said = line.say(*words)
    folder = line.desk.settings.project / "challenges" / "noises"
    assert (said["slug"], said.get("path") or said["paths"][0]) == ("noises", str(folder))
    assert line.say("challenge", "check", "noises") == {"challenge": "noises", "issues": []}
    assert isinstance(line.fail(*words), DuplicateName)


def test_a_new_challenge_tells_what_comes_next(line: Line) -> None:
    made, then = line.do("challenge", "new", "noises").splitlines()
    folder = line.desk.settings.project / "challenges" / "noises"
    assert made == f"made  {folder}"
    assert then == f"next: braggbook challenge try noises {folder / 'example_submission'}"


def test_a_new_challenge_from_an_open_goal(line: Line) -> None:
    goals = [{"id": "dose", "text": "Which dose was it?"}, {"id": "let", "text": "Which LET was it?"}]
    code = ["import braggbook as bb\nbb.result('x', 1.0, unit='1')"]
    write_experiment(line.desk.settings.project / "notebooks", "sums", code=code, front={"goals": goals})
    error = line.fail("challenge", "new", "doses", "--from", "sums")
    assert (error.what, error.got) == ("several open goals", "dose, let")
    line.do("challenge", "new", "doses", "--from", "sums", "--goal", "let")
    assert line.say("show", "challenge", "doses")["title"] == "Which LET was it?"


def test_challenges_are_listed(line: Line) -> None:
    line.do("challenge", "new", "noises")
    (line.desk.settings.project / "challenges" / "noises" / "challenge.toml").write_text("broken")
    broken, whole = line.say("list", "challenge")
    assert broken["challenge"] == "noises"
    assert broken["title"] == ("cannot be read: the challenge's design is not TOML (braggbook challenge check noises)")
    closes = (NOW + DAY).date()
    assert (whole["challenge"], whole["truth"], whole["phases"]) == ("signals", "published", [f"final until {closes}"])
    out = line.do("list", "challenge")
    assert out.splitlines()[0].split() == ["challenge", "title", "phases", "truth"]


def test_a_challenge_is_shown(line: Line) -> None:
    said = line.say("show", "challenge", "signals")
    assert (said["challenge"], said["digest"], said["sealed"]) == ("signals", line.desk.challenge.digest, None)
    out = line.do("show", "challenge", "signals")
    for text in (
        "Signals", "answers predictions.csv with case, value [1]", "ranked  mean_then_rank", "opened  not yet",
        "absolute_error@1", "predictions, notebook", "at most 5 in all", "next: braggbook challenge try signals",
    ):  # fmt: skip
        assert text in out, text
    line.open()
    assert "opened  final version 1 (4 cases)" in line.do("show", "challenge", "signals")
    assert Sealed.model_validate(line.say("show", "challenge", "signals")["sealed"]).challenge == "signals"


def test_findings_end_with_exit_code_1(line: Line) -> None:
    (line.desk.challenge.folder / "salt").write_text("0" * 64)
    issue = {"what": "a secret in the project", "where": "salt", "wanted": "it in the vault", "got": ""}
    assert line.say("challenge", "check", "signals", code=1) == {"challenge": "signals", "issues": [issue]}
    out = line.do("challenge", "check", "signals", code=1)
    assert out.splitlines() == ["salt: a secret in the project; wanted it in the vault", "signals: 1 findings"]
    (row,) = line.say("check", "signals", code=1)["checked"]
    assert (row["kind"], row["issues"]) == ("challenge", [issue])


def test_a_design_that_cannot_be_read_is_a_finding_of_the_whole_project(line: Line) -> None:
    (line.desk.challenge.folder / "challenge.toml").write_text('format = "braggbook.challenge/1"\n')
    rows = {row["name"]: row for row in line.say("check", code=1)["checked"]}
    assert not rows["signals"]["ok"]
    assert rows["radiobiology"]["ok"]
    error = line.fail("challenge", "check", "signals")
    assert (error.what, error.exit_code) == ("the design is not valid", 2)


def test_the_twins_estimate_is_mended(line: Line) -> None:
    example = line.desk.challenge.folder / "example_submission" / "predictions.csv"
    example.write_text(example.read_text().replace("0.316", "0.317"))
    assert "--mend" in line.do("challenge", "check", "signals", code=1)
    assert line.do("challenge", "check", "signals", "--mend") == "signals: nothing found\n"


# open


def test_opening_says_what_to_commit_and_what_comes_next(line: Line) -> None:
    first, second, *commit, last = line.open().splitlines()
    (sealed,) = line.say("show", "challenge", "signals")["sealed"]["splits"]
    assert first == "open   final, version 1, 4 cases"
    assert second == f"truth  {sealed['truth']}   (salted hash)"
    assert "".join(commit) == f"commit {line.desk.challenge.folder / 'sealed.json'}"
    assert last == "next: braggbook challenge submit signals FILE --team NAME --accept-terms"


def test_a_corrected_truth_wants_a_reason_and_a_new_scoring(line: Line) -> None:
    line.open()
    inputs, truth = line.desk.draw("again")
    words = ("challenge", "open", "signals", "--split", "final", "--inputs", inputs, "--truth", truth)
    assert '--because "..."' in line.fail(*words).next_command
    said = line.say(*words, "--because", "a slip")
    assert (said["version"], said["because"]) == (2, "a slip")
    assert line.open("--because", "another").splitlines()[-1] == "next: braggbook challenge score signals --all"


def test_a_vault_in_the_project_is_refused(line: Line) -> None:
    line.desk.settings = dataclasses.replace(line.desk.settings, vault=line.desk.settings.project / "vault")
    for words in (("board", "signals"), ("score", "signals"), ("close", "signals")):
        assert "the vault lies in the project" in str(line.fail("challenge", *words))


# submit


def test_a_submission_is_taken(line: Line) -> None:
    line.open()
    made = Submission.model_validate(line.submit(line.desk.predictions(), "--title", "by hand"))
    assert (made.team, made.phase, made.kind, made.title) == ("One", "final", "predictions", "by hand")
    out = line.do("challenge", "submit", "signals", line.desk.predictions(), "--team", "Two", "--accept-terms")
    assert out.splitlines()[1] == "next: braggbook challenge score signals"
    assert out.splitlines()[0].endswith("predictions of Two, phase final")


def test_the_terms_are_shown_to_who_has_not_accepted_them(line: Line) -> None:
    line.open()
    error = line.fail("challenge", "submit", "signals", line.desk.predictions(), "--team", "One")
    assert error.wanted == line.desk.challenge.phase().terms
    assert error.next_command == "the same with --accept-terms"


def test_what_is_not_asked_for_gets_a_receipt_and_exit_code_2(line: Line) -> None:
    line.open()
    path = line.desk.folder / "table.xlsx"
    path.write_bytes(b"PK\x03\x04 and more")
    receipt = Receipt.model_validate(line.submit(path, code=2))
    assert (receipt.verdict, receipt.charged, receipt.left) == ("refused", False, 5)
    out = line.do("challenge", "submit", "signals", path, "--team", "One", "--accept-terms", code=2)
    assert "refused" in out
    assert "(not charged)" in out
    assert Path(out.split("receipt ")[-1].strip()).is_file()


@pytest.mark.parametrize(
    ("phase", "words"),
    [({"opens": NOW + DAY, "closes": NOW + 2 * DAY}, "not open yet"), ({"closes": NOW - DAY / 2}, "closed")],
)
def test_a_phase_that_is_not_open(tmp_path: Path, phase: dict[str, Any], words: str) -> None:
    line = Line(make_desk(tmp_path, **{"opens": NOW - DAY, "closes": NOW + DAY, **phase}))
    line.open()
    error = line.fail("challenge", "submit", "signals", line.desk.predictions(), "--team", "One", "--accept-terms")
    assert error.what == f"the phase is {words}"


def test_an_unknown_phase(line: Line) -> None:
    line.open()
    path = line.desk.predictions()
    error = line.fail("challenge", "submit", "signals", path, "--team", "One", "--accept-terms", "--phase", "finale")
    assert "did you mean final?" in str(error)


# score


def test_nothing_waits(line: Line) -> None:
    line.open()
    assert line.say("challenge", "score", "signals") == {"receipts": [], "changes": {}}
    assert line.do("challenge", "score", "signals").splitlines() == [
        "nothing waits for its score", "next: braggbook challenge board signals",
    ]  # fmt: skip


def test_what_waits_is_evaluated_once(line: Line) -> None:
    line.open()
    made = line.submit(line.desk.predictions(k2="nan"))
    (receipt,) = line.say("challenge", "score", "signals")["receipts"]
    assert (receipt["submission"], receipt["verdict"], receipt["left"]) == (made["id"], "refused", 5)
    assert line.say("challenge", "score", "signals")["receipts"] == []
    assert len(line.desk.vault.evaluations()) == 1


def test_one_is_evaluated_again_by_the_beginning_of_its_id(line: Line) -> None:
    line.open()
    made = line.submit(line.desk.predictions(k2="nan"))
    for _ in range(2):
        (receipt,) = line.say("challenge", "score", "signals", made["id"][:8])["receipts"]
        assert receipt["submission"] == made["id"]
    assert isinstance(line.fail("challenge", "score", "signals", "0000"), UnknownName)
    error = line.fail("challenge", "score", "signals", "--all", made["id"])
    assert (error.what, error.exit_code) == ("either all, or some", 2)


def test_two_at_once_make_one_evaluation_of_each(line: Line) -> None:
    """Two processes, as when a person and a timetable say the same."""
    line.open()
    made = {line.submit(line.desk.predictions(k2="nan"))["id"] for _ in range(3)}
    settings = line.desk.settings
    words = [sys.executable, "-m", "braggbook", "--project", str(settings.project), "--runs", str(settings.runs)]
    words += ["challenge", "score", "signals", "--json"]
    environment = {**os.environ, "BRAGGBOOK_VAULT": str(settings.vault)}
    both = [subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in "ab"]
    told = [json.loads(one.communicate()[0])["receipts"] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert {receipt["submission"] for receipts in told for receipt in receipts} == made
    assert {one.submission for one in line.desk.vault.evaluations()} == made
    assert len(line.desk.vault.evaluations()) == 3


def test_one_that_is_named_twice_is_evaluated_once(line: Line) -> None:
    line.open()
    made = line.submit(line.desk.predictions(k2="nan"))
    told = line.say("challenge", "score", "signals", made["id"], made["id"][:6])["receipts"]
    assert told[0] == told[1]
    assert len(line.desk.vault.evaluations()) == 1


def test_a_refusal_is_told_with_its_rows_and_what_to_do(line: Line) -> None:
    line.open()
    line.submit(line.desk.predictions(k2="nan"))
    out = line.do("challenge", "score", "signals")
    assert "the predictions are not what the design asks for" in out
    assert "predictions.csv: row 3, column value" in out
    assert "next: braggbook challenge try signals PREDICTIONS" in out


def test_everything_is_evaluated_again_and_changes_are_shown(line: Line) -> None:
    line.open()
    line.submit(line.desk.predictions(k2="nan"))
    line.do("challenge", "score", "signals")
    said = line.say("challenge", "score", "signals", "--all")
    assert len(said["receipts"]) == 1
    assert said["changes"] == {"final": []}
    assert "ranks of final, before and after" in line.do("challenge", "score", "signals", "--all")


def test_why_the_organisers_part_failed_is_told_on_the_terminal_alone(line: Line) -> None:
    line.open()
    line.submit(line.desk.predictions())
    shutil.rmtree(line.desk.settings.project / "kernels")
    answer = line.call("challenge", "score", "signals")
    assert answer.exit_code == 0
    assert "for the organiser alone: no kernel named 'radiobiology'" in answer.stderr
    assert "kernel" not in answer.stdout
    assert "not through your fault" in answer.stdout


# withdraw


def test_what_is_withdrawn_leaves_the_board_and_is_not_scored_again(line: Line) -> None:
    line.open()
    made = line.submit(line.desk.predictions(k2="nan"))
    line.do("challenge", "score", "signals")
    words = ("challenge", "withdraw", "signals", made["id"][:8], "--because", "the wrong file")
    told = line.say(*words)
    assert (told["submission"], told["by"], told["because"]) == (made["id"], "the organiser", "the wrong file")
    assert line.do(*words, "--by", "somebody else").splitlines() == [
        f"withdrawn  {made['id']}   of One, phase final, by the organiser: the wrong file",
        "next: braggbook challenge board signals",
    ]  # fmt: skip
    board = line.do("challenge", "board", "signals", "--as", "organiser")
    assert f"not on the board: One ({made['id'][:8]}): withdrawn by the organiser: the wrong file" in board
    assert line.say("challenge", "score", "signals", "--all")["receipts"] == []
    error = line.fail("challenge", "score", "signals", made["id"])
    assert isinstance(error, InputError)
    assert (error.what, error.got) == ("the submission was withdrawn", "by the organiser: the wrong file")
    assert len(line.desk.vault.evaluations()) == 1


def test_a_withdrawal_has_a_reason(line: Line) -> None:
    line.open()
    made = line.submit(line.desk.predictions())
    assert "Missing option '--because'" in line.call("challenge", "withdraw", "signals", made["id"]).output
    assert isinstance(line.fail("challenge", "withdraw", "signals", "0000", "--because", "so"), UnknownName)
    assert line.desk.vault.withdrawals() == []


# board and close


def test_a_board_without_a_score(line: Line) -> None:
    line.open()
    line.submit(line.desk.predictions(k2="nan"))
    line.do("challenge", "score", "signals")
    said = line.say("challenge", "board", "signals")
    page = Path(said.pop("page"))
    assert page == line.desk.settings.runs / "boards" / "signals-final" / "index.html"
    board = Board.model_validate(said)
    assert (board.rows, board.left) == ([], [])  # what became of a submission is its team's
    out = line.do("challenge", "board", "signals", "--as", "organiser", "--out", line.desk.folder / "mine")
    assert "nobody has a score yet" in out
    assert "refused: the predictions were refused" in out
    assert f"page  {line.desk.folder / 'mine' / 'index.html'}" in out
    whole = board_of(open_challenge(line.desk.challenge.folder), line.desk.vault, line.desk.challenge.phase())
    assert json.loads((line.desk.folder / "mine" / "board.json").read_text()) == whole.model_dump(mode="json")


def test_a_board_before_it_is_open(line: Line) -> None:
    error = line.fail("challenge", "board", "signals")
    assert (error.what, error.exit_code) == ("the challenge was not opened", 2)
    assert error.next_command.startswith("braggbook challenge open signals")


def test_closing(line: Line) -> None:
    line.open()
    assert line.fail("challenge", "close", "signals").what == "a phase goes on"
    assert line.fail("challenge", "close", "signals", "--early").what == "nothing to close: there is no evaluation"
    line.submit(line.desk.predictions(k2="nan"))
    assert line.fail("challenge", "close", "signals", "--early").what == "submissions wait for their score"
    line.do("challenge", "score", "signals")
    said = line.say("challenge", "close", "signals", "--early")
    folder = line.desk.settings.runs / "boards" / "signals"
    assert (said["folder"], said["phases"], said["truth"]) == (str(folder), ["final"], "published")
    assert said["files"] == len(json.loads((folder / "closed.json").read_text())["files"])
    assert line.fail("challenge", "close", "signals", "--early").what == "there is a closed folder already"
    out = line.do("challenge", "close", "signals", "--early", "--out", line.desk.folder / "other")
    assert out.splitlines()[-1] == f"next: braggbook publish plan {line.desk.folder / 'other'} --to folder"


def test_an_unknown_archive_is_told_before_anything_is_written(line: Line) -> None:
    line.open()
    line.submit(line.desk.predictions(k2="nan"))
    line.do("challenge", "score", "signals")
    error = line.fail("challenge", "close", "signals", "--early", "--reserve", "foldr")
    assert (error.what, error.exit_code) == ("no such archive", 2)
    assert not (line.desk.settings.runs / "boards" / "signals").exists()


def test_a_reserved_doi_is_on_the_pages_and_stays_the_same(line: Line) -> None:
    line.open()
    line.submit(line.desk.predictions(k2="nan"))
    line.do("challenge", "score", "signals")
    folders = [line.desk.folder / name for name in ("one", "other")]
    words = ("challenge", "close", "signals", "--early", "--reserve", "folder", "--out")
    first, second = (line.say(*words, folder)["doi"] for folder in folders)
    assert first == second
    assert first.startswith("10.")
    assert all(first in (folder / "index.html").read_text(encoding="utf-8") for folder in folders)


# try


def test_trying_what_would_be_refused(line: Line) -> None:
    path = line.desk.folder / "predictions.csv"
    path.write_text("case,value\na,0.3\nb,nan\nc,0.9\nd,1.2\n")
    said = line.say("challenge", "try", "signals", path, code=1)
    assert (said["verdict"], said["scores"], said["logs"]) == ("refused", {}, None)
    assert len(said["problem"]["issues"]) == 2
    out = line.do("challenge", "try", "signals", path, code=1)
    assert out.splitlines()[-1] == "it would get no score: refused"


def test_trying_what_would_not_be_let_in(line: Line) -> None:
    path = line.desk.folder / "notes.txt"
    path.write_text("mine")
    assert isinstance(line.fail("challenge", "try", "signals", path), InputError)


def test_a_notebook_that_asks_for_the_truth_is_not_let_in(line: Line) -> None:
    node = nbformat.read(line.desk.challenge.folder / "baseline.ipynb", as_version=4)
    node.cells[0].source = node.cells[0].source.replace("- inputs@1", "- inputs@1\n  - truth@1")
    path = line.desk.folder / "peeper.ipynb"
    path.write_text(nbformat.writes(node), encoding="utf-8")
    assert "truth@1 is not for participants" in str(line.fail("challenge", "try", "signals", path))


def test_logs_of_somebody_else_are_not_emptied(line: Line) -> None:
    logs = line.desk.folder / "logs"
    logs.mkdir()
    (logs / "mine.txt").write_text("mine")
    error = line.fail("challenge", "try", "signals", line.desk.predictions(), "--logs", logs)
    assert error.what == "the folder for logs is not empty"
    assert (logs / "mine.txt").read_text() == "mine"


# demo


def test_the_demo_needs_its_challenge(line: Line) -> None:
    error = line.fail("challenge", "demo")
    assert isinstance(error, UnknownName)
    assert "dicentric_dose" in str(error)


def test_the_demo_touches_no_folder_that_is_not_its_own(line: Line) -> None:
    place = line.desk.folder / "place"
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    shutil.copytree(line.desk.challenge.folder, line.desk.settings.project / "challenges" / "dicentric_dose")
    error = line.fail("challenge", "demo", "--keep", place)
    assert error.what == "the folder holds something else"
    assert [path.name for path in place.iterdir()] == ["mine.txt"]
