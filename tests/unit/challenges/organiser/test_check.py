"""What can be known of a challenge without running it: every kind of fault is found, and told with its place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import tomlkit
import yaml

from braggbook.challenges.check import check_challenge, write_estimate
from braggbook.challenges.design import open_challenge
from braggbook.datasets.catalogue import open_dataset
from braggbook.errors import InputError, Issue
from braggbook.files import write_json
from braggbook.notebooks.source import split_front

from .desk import ROOT, Desk, write_table

MASKS = {"form": "masks", "labels": {"1": "liver"}}
DICE = {"definition": "dice@1", "of": "liver", "better": "larger", "maximum": 1.0, "worst": 0.0}


def found(desk: Desk) -> list[Issue]:
    """Returns the findings of a challenge as it lies there now."""
    return check_challenge(open_challenge(desk.challenge.folder), project=desk.settings.project)


def change(desk: Desk, how: Callable[[dict[str, Any]], object]) -> None:
    """Changes the design."""
    path = desk.challenge.folder / "challenge.toml"
    design = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
    how(design)
    path.write_text(tomlkit.dumps(design), encoding="utf-8")


def change_metric(desk: Desk, **keys: Any) -> None:
    change(desk, lambda design: design["metrics"][0].update(keys))


def change_front(desk: Desk, name: str, **keys: Any) -> None:
    """Changes the front matter of a notebook."""
    path = desk.challenge.folder / name
    node = nbformat.read(path, as_version=4)
    front = yaml.safe_load(split_front(node.cells[0].source)[0] or "")
    front["braggbook"] |= keys
    node.cells[0].source = f"---\n{yaml.safe_dump(front, sort_keys=False)}---"
    path.write_text(nbformat.writes(node), encoding="utf-8")


def change_code(desk: Desk, name: str, code: str) -> None:
    """Adds code to a notebook."""
    path = desk.challenge.folder / name
    node = nbformat.read(path, as_version=4)
    node.cells[-1].source += f"\n{code}"
    path.write_text(nbformat.writes(node), encoding="utf-8")


def test_a_new_challenge_has_no_finding(desk: Desk) -> None:
    assert found(desk) == []


@pytest.mark.parametrize("slug", ["dicentric_dose", "organ_segmentation"])
def test_the_shipped_challenges_have_none(slug: str) -> None:
    assert check_challenge(open_challenge(ROOT / "challenges" / slug), project=ROOT) == []


def test_an_open_challenge_has_none(desk: Desk) -> None:
    desk.open()
    assert found(desk) == []


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"definition": "absolute_eror@1"}, "no metric 'absolute_eror@1'"),
        ({"definition": "absolute_error@2"}, "no metric 'absolute_error@2'"),
        ({"better": "larger"}, "the other direction"),
        ({"better": "target", "target": 1.0}, "the other direction"),
        ({"minimum": -1.0}, "a minimum that the metric cannot have"),
        ({"scope": "all"}, "another scope"),
        ({"definition": "relative_error@1", "unit": "Gy"}, "another unit"),
        ({"unit": "Gy"}, "another unit"),
        ({"options": {"tolerance_mm": 1.0}}, "no such option"),
        ({"definition": "interval_score@1"}, "missing"),
        ({"definition": "interval_score@1", "options": {"confidence": 2.0}}, "out of its range"),
        ({"definition": "interval_score@1", "options": {"confidence": "high"}}, "not a number"),
        (
            {"empty": {"both": "perfect", "only_reference": "worst", "only_estimate": "worst"}},
            "only masks can be empty",
        ),
    ],
)
def test_a_metric_that_contradicts_its_definition(desk: Desk, keys: dict[str, Any], what: str) -> None:
    change_metric(desk, **keys)
    issues = [issue for issue in found(desk) if issue.where.startswith("metrics absolute_error")]
    assert [issue.what for issue in issues] == [what]


def test_a_metric_of_masks_says_what_counts_where_one_is_empty(desk: Desk) -> None:
    def masks(design: dict[str, Any]) -> None:
        design["submission"] = MASKS
        design["metrics"][0].update(DICE)

    change(desk, masks)
    assert "metrics absolute_error: no policy for empty masks; wanted empty = {both = ..." in "\n".join(
        map(str, found(desk))
    )
    change_metric(desk, empty={"both": "perfect", "only_reference": "worst", "only_estimate": "value"})
    told = [issue for issue in found(desk) if issue.where.startswith("metrics")]
    assert told == []


def test_a_bound_that_the_metric_cannot_reach(desk: Desk) -> None:
    def masks(design: dict[str, Any]) -> None:
        design["submission"] = MASKS
        empty = {"both": "perfect", "only_reference": "worst", "only_estimate": "worst"}
        design["metrics"][0].update({**DICE, "maximum": 2.0, "empty": empty})

    change(desk, masks)
    assert Issue("a maximum that the metric cannot have", "metrics absolute_error", "1", "2") in found(desk)


def test_a_test_by_cases_of_a_number_of_all_cases(desk: Desk) -> None:
    def all_cases(design: dict[str, Any]) -> None:
        design["ranking"]["method"] = "test_then_rank"
        design["metrics"].append(
            {**design["metrics"][0], "id": "rmse", "definition": "root_mean_square_error@1", "scope": "all"}
        )

    change(desk, all_cases)
    assert Issue("a test by cases of a number of all cases", "ranking.method", "metrics of scope case") in found(desk)


def test_a_split_that_is_released_and_hidden(desk: Desk) -> None:
    def two_phases(design: dict[str, Any]) -> None:
        hidden = {**design["phases"][0], "id": "again", "inputs": "hidden", "kinds": ["notebook"]}
        design["phases"].append(hidden)

    change(desk, two_phases)
    assert found(desk) == [Issue("one split, released in one phase and hidden in another", "phases again")]


def test_a_training_dataset_that_is_not_there(desk: Desk) -> None:
    change(desk, lambda design: design["data"].update(training=["no_such_counts@1"]))
    (issue,) = found(desk)
    assert issue.where == "data.training no_such_counts@1"
    assert "no_such_counts" in issue.what


def test_a_training_dataset_may_be_used_once_the_design_names_it(desk: Desk) -> None:
    change_front(desk, "baseline.ipynb", datasets=["inputs@1", "dicentrics@1"])
    change_code(desk, "baseline.ipynb", 'bb.load("dicentrics@1")')
    shutil.copytree(desk.challenge.folder / "twin" / "truth", desk.settings.project / "datasets" / "dicentrics")
    assert Issue("a dataset that it may not use", "baseline.ipynb: dicentrics@1", "inputs@1") in found(desk)
    change(desk, lambda design: design["data"].update(training=["dicentrics@1"]))
    assert found(desk) == []


@pytest.mark.parametrize("name", ["truth@1", "estimate@1"])
def test_a_baseline_that_looks_at_what_a_participant_may_not_see(desk: Desk, name: str) -> None:
    change_front(desk, "baseline.ipynb", datasets=["inputs@1", name])
    assert Issue("a dataset that it may not use", f"baseline.ipynb: {name}", "inputs@1") in found(desk)


def test_a_scorer_that_promises_no_scores(desk: Desk) -> None:
    change_front(desk, "score.ipynb", results={"total": {"unit": "1"}})
    assert Issue("no table of scores", "score.ipynb: results", "scores: {kind: table}") in found(desk)


def test_a_scorer_whose_scores_are_a_number(desk: Desk) -> None:
    change_front(desk, "score.ipynb", results={"scores": {"unit": "1"}})
    assert "no table of scores" in [issue.what for issue in found(desk)]


def test_a_scorer_that_does_not_promise_a_number_of_all_cases(desk: Desk) -> None:
    def rmse(design: dict[str, Any]) -> None:
        design["metrics"].append(
            {**design["metrics"][0], "id": "rmse", "definition": "root_mean_square_error@1", "scope": "all"}
        )

    change(desk, rmse)
    assert found(desk) == [Issue("a metric without a result", "score.ipynb: results", "rmse: {unit: 1}")]


def test_a_scorer_that_promises_another_unit(desk: Desk) -> None:
    def rmse(design: dict[str, Any]) -> None:
        more = {"id": "rmse", "definition": "root_mean_square_error@1", "scope": "all", "unit": "Gy"}
        design["metrics"].append({**design["metrics"][0], **more})

    change(desk, rmse)
    change_front(desk, "score.ipynb", results={"scores": {"kind": "table"}, "rmse": {"unit": "1"}})
    issues = [issue for issue in found(desk) if issue.where == "score.ipynb: results"]
    assert issues == [Issue("another unit", "score.ipynb: results", "rmse: {unit: Gy}", "1")]


def test_a_target_that_is_not_what_the_options_say(desk: Desk) -> None:
    def coverage(design: dict[str, Any]) -> None:
        more = {"definition": "coverage@1", "better": "target", "target": 0.95, "maximum": 1.0, "worst": 0.0}
        design["metrics"][0].update({**more, "scope": "all", "options": {"confidence": 0.9}})

    change(desk, coverage)
    assert Issue("another target", "metrics absolute_error", "0.9", "0.95") in found(desk)


@pytest.mark.parametrize("name", ["baseline.ipynb", "score.ipynb"])
def test_a_notebook_that_is_not_there(desk: Desk, name: str) -> None:
    (desk.challenge.folder / name).unlink()
    assert any(name in str(issue) for issue in found(desk))


def test_a_notebook_whose_kernel_nobody_has(desk: Desk) -> None:
    change_front(desk, "score.ipynb", kernel="fortran")
    (issue,) = found(desk)
    assert (issue.what, issue.where) == ("no kernel named 'fortran'", "score.ipynb")


def test_what_check_notebook_finds_is_told_too(desk: Desk) -> None:
    change_code(desk, "score.ipynb", "import random\nrandom.random()")
    assert any(issue.where.startswith("score.ipynb: ") for issue in found(desk))


def test_cases_of_the_twin_that_differ(desk: Desk) -> None:
    rows = "case,value\na,0.3\nb,0.7\nc,0.9\nd,1.2\nx,1.7\n"
    write_table(desk.challenge.folder / "twin" / "truth", "truth.csv", rows)
    assert Issue("cases of the inputs that are not those of the truth", "twin", got="e, x") in found(desk)


def test_a_case_of_the_twin_that_is_there_twice(desk: Desk) -> None:
    rows = "case,signal\na,0.1\nb,0.4\nc,0.9\nd,1.6\na,2.5\n"
    write_table(desk.challenge.folder / "twin" / "inputs", "cases.csv", rows)
    assert "a case twice" in [issue.what for issue in found(desk)]


def test_a_file_of_the_twin_that_is_not_as_its_card_says(desk: Desk) -> None:
    path = desk.challenge.folder / "twin" / "truth" / "truth.csv"
    path.write_text(path.read_text() + "f,2.0\n")
    assert any(issue.where.startswith("twin/truth: ") for issue in found(desk))


def test_a_value_of_the_twin_that_is_out_of_its_limits(desk: Desk) -> None:
    rows = "case,value\na,0.3\nb,0.7\nc,0.9\nd,1.2\ne,99\n"
    write_table(desk.challenge.folder / "twin" / "truth", "truth.csv", rows)
    assert any(issue.where.startswith("twin/truth: ") for issue in found(desk))


def test_a_twin_that_is_not_there(desk: Desk) -> None:
    shutil.rmtree(desk.challenge.folder / "twin" / "inputs")
    assert "no dataset card" in [issue.what for issue in found(desk)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("case,value\na,0.3\nb,0.7\nc,0.9\nd,1.2\n", "a case is missing: e"),
        ("case,value\na,0.3\nb,0.7\nc,0.9\nd,1.2\ne,nan\n", "row 6, column value"),
        ("case,value\na,0.3\nb,0.7\nc,0.9\nd,1.2\ne,11\n", "row 6, column value"),
        ("case,valu\na,0.3\n", "predictions.csv"),
    ],
)
def test_an_example_that_would_be_refused(desk: Desk, rows: str, words: str) -> None:
    (desk.challenge.folder / "example_submission" / "predictions.csv").write_text(rows)
    issues = [issue for issue in found(desk) if issue.what == "the example would be refused"]
    assert issues
    assert {issue.where for issue in issues} == {"example_submission"}
    assert any(words in issue.got for issue in issues)


def test_an_example_with_something_else_in_it(desk: Desk) -> None:
    (desk.challenge.folder / "example_submission" / "notes.docx").write_text("mine")
    assert any("notes.docx" in str(issue) for issue in found(desk))


def test_no_example(desk: Desk) -> None:
    shutil.rmtree(desk.challenge.folder / "example_submission")
    assert len(found(desk)) == 1


def test_an_estimate_that_is_not_the_example_can_be_mended(desk: Desk) -> None:
    example = desk.challenge.folder / "example_submission" / "predictions.csv"
    example.write_text(example.read_text().replace("0.316", "0.317"))
    wanted = "braggbook challenge check signals --mend"
    assert found(desk) == [Issue("the twin's estimate is not the example", "twin/estimate", wanted)]
    write_estimate(desk.challenge)
    assert found(desk) == []
    assert "0.317" in (desk.challenge.folder / "twin" / "estimate" / "predictions.csv").read_text()


def test_an_example_that_would_be_refused_is_no_estimate(desk: Desk) -> None:
    before = open_dataset(desk.challenge.folder / "twin" / "estimate").digest
    (desk.challenge.folder / "example_submission" / "predictions.csv").write_text("case,value\na,0.3\n")
    with pytest.raises(InputError, match="the example would be refused"):
        write_estimate(desk.challenge)
    assert open_dataset(desk.challenge.folder / "twin" / "estimate").digest == before


@pytest.mark.parametrize("name", ["key.pem", "salt", "canary"])
def test_secrets_that_lie_in_the_project(desk: Desk, name: str) -> None:
    desk.open()
    hidden = desk.vault.folder if name == "key.pem" else desk.vault.hidden_folder("final", 1)
    (desk.challenge.folder / "kept" / "here").mkdir(parents=True)
    shutil.copy(hidden / name, desk.challenge.folder / "kept" / "here" / name)
    assert found(desk) == [Issue("a secret in the project", f"kept/here/{name}", "it in the vault")]


def test_the_seal_of_another_challenge(desk: Desk) -> None:
    desk.open()
    sealed = desk.challenge.sealed
    assert sealed is not None
    write_json(desk.challenge.folder / "sealed.json", {**sealed.model_dump(mode="json"), "challenge": "noises"})
    assert found(desk) == [Issue("the seal of another challenge", "sealed.json", "signals", "noises")]


def test_a_seal_that_cannot_be_read_is_a_finding_and_hides_no_other(desk: Desk) -> None:
    (desk.challenge.folder / "sealed.json").write_text("{}")
    (desk.challenge.folder / "salt").write_text("0" * 64)
    whats = [issue.what for issue in found(desk)]
    assert whats[0] == "a secret in the project"
    assert "the key 'key' is missing" in whats


def test_everything_is_found_at_once(desk: Desk) -> None:
    change_metric(desk, better="larger")
    change_front(desk, "baseline.ipynb", datasets=["inputs@1", "truth@1"])
    (desk.challenge.folder / "example_submission" / "predictions.csv").write_text("case,value\na,0.3\n")
    (desk.challenge.folder / "salt").write_text("0" * 64)
    assert {issue.what for issue in found(desk)} >= {
        "the other direction",
        "a dataset that it may not use",
        "the example would be refused",
        "a secret in the project",
    }


def test_nothing_is_written_by_looking(desk: Desk) -> None:
    def state(folder: Path) -> dict[str, float]:
        return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}

    before = state(desk.folder)
    found(desk)
    assert state(desk.folder) == before
