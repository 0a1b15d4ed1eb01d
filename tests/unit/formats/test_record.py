"""Plans, deposits and verdicts: every good example reads and writes back, every bad one says all that is wrong with it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from braggbook.errors import RecordError
from braggbook.files import write_json
from braggbook.formats.common import issues_from
from braggbook.formats.record import STEPS, Deposit, PublishPlan
from braggbook.formats.verification import VerificationFile
from braggbook.records.deposit import DEPOSIT, read_deposit

DIGEST = "f86a7f9cff722c0c4d091202e2a2527f8a4ee17e3954574f6541cc27d6ab5cca"  # of plan/good/everything.json
EXAMPLES = Path(__file__).parents[2] / "formats"


def _examples(kind: str, folder: str) -> list[Path]:
    return sorted((EXAMPLES / kind / folder).glob("*.json"))


def _named(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(getattr(value, "__name__", value))


def _expected(path: Path) -> str:
    return path.with_suffix(".txt").read_text(encoding="utf-8").rstrip("\n")


@pytest.mark.parametrize("path", _examples("deposit", "good"), ids=lambda path: path.stem)
def test_a_good_deposit_reads_and_writes_back(path: Path, tmp_path: Path) -> None:
    shutil.copy(path, tmp_path / DEPOSIT)
    deposit = read_deposit(tmp_path)
    assert deposit is not None
    assert deposit.step == path.stem
    write_json(tmp_path / DEPOSIT, deposit.model_dump(mode="json"))
    assert read_deposit(tmp_path) == deposit


@pytest.mark.parametrize("path", _examples("deposit", "bad"), ids=lambda path: path.stem)
def test_a_bad_deposit_says_all_that_is_wrong(path: Path, tmp_path: Path) -> None:
    shutil.copy(path, tmp_path / DEPOSIT)
    with pytest.raises(RecordError) as caught:
        read_deposit(tmp_path)
    assert str(caught.value).replace(str(tmp_path / DEPOSIT), "<deposit>") == _expected(path)
    assert caught.value.exit_code == 2


MODELS: dict[str, type[BaseModel]] = {"plan": PublishPlan, "verification": VerificationFile}


@pytest.mark.parametrize(
    ("model", "path"), [(MODELS[kind], path) for kind in MODELS for path in _examples(kind, "good")], ids=_named
)
def test_a_good_file_reads_and_writes_back(model: type[BaseModel], path: Path) -> None:
    read = model.model_validate_json(path.read_bytes())
    assert model.model_validate_json(read.model_dump_json()) == read


@pytest.mark.parametrize(
    ("model", "path"), [(MODELS[kind], path) for kind in MODELS for path in _examples(kind, "bad")], ids=_named
)
def test_a_bad_file_says_all_that_is_wrong(model: type[BaseModel], path: Path) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(json.loads(path.read_bytes()))
    issues = issues_from(caught.value, where="<file>", known=model)
    assert "\n".join(map(str, issues)) == _expected(path)


def test_every_expectation_belongs_to_an_example() -> None:
    for kind in ("deposit", *MODELS):
        texts = {path.stem for path in (EXAMPLES / kind / "bad").glob("*.txt")}
        assert texts == {path.stem for path in _examples(kind, "bad")}


def test_the_digest_is_of_everything_that_an_archive_shows() -> None:
    path = EXAMPLES / "plan" / "good" / "everything.json"
    plan = PublishPlan.model_validate_json(path.read_bytes())
    assert plan.model_copy(update={"missing": []}).digest == plan.digest
    seen = {plan.digest}
    for field, value in {"version_of": None, "doi": None, "source": "my_counts@3", "files": plan.files[:1]}.items():
        seen.add(plan.model_copy(update={field: value}).digest)
    seen.add(plan.model_copy(update={"metadata": plan.metadata.model_copy(update={"notes": ""})}).digest)
    assert len(seen) == 6


def test_the_digest_of_a_plan_stays_what_it_was() -> None:
    """A draft is found by it, perhaps by a newer Braggbook than the one that made it."""
    plan = PublishPlan.model_validate_json((EXAMPLES / "plan" / "good" / "everything.json").read_bytes())
    assert plan.digest == DIGEST


def test_the_steps_are_in_their_order_and_a_deposit_begins_with_the_first() -> None:
    assert STEPS == ("begun", "drafted", "uploaded", "publishing", "published", "checked")
    deposit = Deposit(archive="folder", plan="0" * 64, step=STEPS[0])
    assert (deposit.id, deposit.doi, deposit.files) == (None, None, [])
