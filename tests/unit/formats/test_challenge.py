"""Designs: every good example is read, every bad one says all that is wrong with it."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest
import tomlkit
from pydantic import BaseModel

from braggbook.challenges.design import Challenge, open_challenge
from braggbook.errors import InputError
from braggbook.formats import challenge as formats

EXAMPLES = Path(__file__).parents[2] / "formats" / "challenge"
GOOD = sorted((EXAMPLES / "good").glob("*.toml"))
BAD = sorted((EXAMPLES / "bad").glob("*.toml"))


def placed(path: Path, folder: Path) -> Path:
    """Returns a challenge's folder with an example as its design."""
    folder.mkdir()
    shutil.copy(path, folder / "challenge.toml")
    return folder


def good(name: str, tmp_path: Path) -> Challenge:
    return open_challenge(placed(EXAMPLES / "good" / name, tmp_path / "signals"))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_design_is_read_and_written_otherwise_it_is_the_same(path: Path, tmp_path: Path) -> None:
    challenge = open_challenge(placed(path, tmp_path / "signals"))
    written = tomlkit.dumps(challenge.design.model_dump(exclude_none=True), sort_keys=True)
    (tmp_path / "signals" / "challenge.toml").write_text(written, encoding="utf-8")
    again = open_challenge(tmp_path / "signals")
    assert (again.design, again.digest) == (challenge.design, challenge.digest)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_design_says_all_that_is_wrong(path: Path, tmp_path: Path) -> None:
    folder = placed(path, tmp_path / "signals")
    with pytest.raises(InputError) as caught:
        open_challenge(folder)
    text = str(caught.value).replace(str(folder / "challenge.toml"), "<design>")
    assert text == path.with_suffix(".txt").read_text(encoding="utf-8").rstrip("\n")
    assert caught.value.exit_code == 2


def test_every_expectation_belongs_to_an_example() -> None:
    assert [path.stem for path in sorted((EXAMPLES / "bad").glob("*.txt"))] == [path.stem for path in BAD]


def typed(part: object, found: dict[type[BaseModel], set[str]]) -> dict[type[BaseModel], set[str]]:
    """Returns by model which keys a design has."""
    if isinstance(part, BaseModel):
        found.setdefault(type(part), set()).update(part.model_fields_set)
        part = [getattr(part, name) for name in part.model_fields_set]
    for one in part.values() if isinstance(part, dict) else part if isinstance(part, list | tuple) else ():
        typed(one, found)
    return found


def test_the_good_examples_have_every_key_that_there_is(tmp_path: Path) -> None:
    found: dict[type[BaseModel], set[str]] = {}
    for path in GOOD:
        typed(open_challenge(placed(path, tmp_path / path.stem)).design, found)
    left_out = {model.__name__: set(model.model_fields) - keys for model, keys in found.items()}
    assert left_out == {model.__name__: set() for model in found}
    assert {
        one for one in vars(formats).values() if isinstance(one, type) and one.__module__ == formats.__name__
    } <= set(found)


def test_what_is_left_out_has_a_documented_value(tmp_path: Path) -> None:
    design = good("minimal.toml", tmp_path).design
    assert (design.submission.case, design.submission.file, design.submission.incomplete) == (
        "case", "predictions.csv", "refuse",
    )  # fmt: skip
    (phase,), (metric,) = design.phases, design.metrics
    assert (phase.quota.total, phase.quota.per_day, phase.board) == (None, None, "best")
    assert phase.shows.model_dump() == {"score": "team", "rank": "everyone", "cases": "organiser", "logs": "team"}
    assert (metric.of, metric.scope, metric.empty, metric.ranked, metric.weight, metric.task) == (
        None, "case", None, True, 1.0, "all",
    )  # fmt: skip
    assert (design.ranking.ties, design.ranking.missing, design.ranking.draws) == ("min", "worst", 1000)


def test_a_time_keeps_its_zone(tmp_path: Path) -> None:
    first, second = good("everything.toml", tmp_path).design.phases
    assert first.opens == datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
    assert first.closes == datetime.datetime(2027, 2, 1, 8, tzinfo=datetime.UTC)
    assert second.opens.utcoffset() == datetime.timedelta(hours=5, minutes=30)
    assert second.closes.isoformat() == "2027-03-01T00:00:00+05:30"


def test_the_examples_use_what_the_model_has(tmp_path: Path) -> None:
    metrics = good("everything.toml", tmp_path).design.metrics
    assert [one.empty.model_dump() for one in metrics if one.empty] == [
        {"both": "perfect", "only_reference": 0.25, "only_estimate": "worst"},
        {"both": "not_applicable", "only_reference": "value", "only_estimate": "value"},
    ]


def test_a_missing_design_and_a_folder_in_its_place_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"signals/challenge.toml: no challenge's design\nnext: braggbook challenge"):
        open_challenge(tmp_path / "signals")
    (tmp_path / "signals" / "challenge.toml").mkdir(parents=True)
    with pytest.raises(InputError, match="cannot read the challenge's design; got Is a directory"):
        open_challenge(tmp_path / "signals")


def test_a_folder_that_is_no_slug_is_refused_with_everything_else(tmp_path: Path) -> None:
    folder = placed(EXAMPLES / "bad" / "nothing_ranked.toml", tmp_path / "My challenge")
    with pytest.raises(InputError) as caught:
        open_challenge(folder)
    assert [issue.what for issue in caught.value.issues] == ["the folder's name is not a slug", "no metric is ranked"]
    assert "'My challenge'" in str(caught.value)
