"""A run's id: a digest of everything that can change a number, and of nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from braggbook.errors import (
    DatasetError,
    InputError,
    KernelUnavailable,
    LockDrift,
    ParameterError,
    UnknownName,
)
from braggbook.formats.run import Identity
from braggbook.notebooks.source import read_notebook
from braggbook.runs.plan import RunPlan, plan_run
from braggbook.settings import Settings
from braggbook.testing.experiments import write_experiment

from ...conftest import Project
from .run_helpers import digest, identity

CHANGES: dict[str, Any] = {
    "notebook": digest("another"),
    "parameters": {"factor": 3.0},
    "datasets": {"counts@2": digest("counts")},
    "kernel_lock": digest("another"),
    "python": "3.13.0",
    "braggbook": digest("another"),
    "seed": 1,
}


def test_an_id_is_24_digits_of_a_digest() -> None:
    assert re.fullmatch(r"[0-9a-f]{24}", identity().run_id)
    assert identity().run_id == identity().run_id


def test_every_part_of_the_identity_is_changed_below() -> None:
    assert set(CHANGES) == set(Identity.model_fields)


@pytest.mark.parametrize("part", CHANGES)
def test_the_id_depends_on_each_part(part: str) -> None:
    assert identity(**{part: CHANGES[part]}).run_id != identity().run_id


@pytest.mark.parametrize(
    "changes",
    [
        {"datasets": {"counts@1": digest("other counts")}},
        {"datasets": {}},
        {"parameters": {"factor": 2.0, "more": None}},
        {"parameters": {"factor": 2.0000000000000004}},
        {"parameters": {"factor": "2.0"}},
        {"parameters": {"Factor": 2.0}},
    ],
)
def test_the_id_depends_on_what_is_inside_each_part(changes: dict[str, Any]) -> None:
    assert identity(**changes).run_id != identity().run_id


def test_the_order_of_keys_is_no_part_of_it() -> None:
    one, other = (identity(parameters=dict(pairs)) for pairs in ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)]))
    assert one.run_id == other.run_id


@pytest.fixture
def settings(project: Project, tmp_path: Path) -> Settings:
    return Settings(
        project=project.folder,
        runs=tmp_path / "runs",
        cache=tmp_path / "cache",
        archive=tmp_path / "archive",
        vault=tmp_path / "vault",
    )


def _plan(
    project: Project, settings: Settings, given: dict[str, Any] | None = None, *, seed: int = 0, **parts: Any
) -> RunPlan:
    made = {"code": ["x = factor"], "parameters": "factor: float = 2", **parts}
    path = write_experiment(project.folder / "notebooks", "experiment", **made)
    return plan_run(read_notebook(path), given or {}, settings=settings, seed=seed)


def test_a_plan_knows_its_identity_before_anything_runs(project: Project, settings: Settings) -> None:
    plan = _plan(project, settings, {"factor": "3"})
    assert plan.values == {"factor": 3.0}
    assert plan.id == plan.identity.run_id
    assert plan.identity.braggbook == plan.wheel.sha256
    assert plan.identity.notebook == plan.notebook.identity
    assert plan.identity.kernel_lock == plan.kernel.lock_sha256
    assert not settings.runs.exists()


def test_the_same_question_has_the_same_id_however_it_is_asked(project: Project, settings: Settings) -> None:
    ids = {_plan(project, settings, given).id for given in ({}, {"factor": 2}, {"factor": "2.0"}, {"factor": 2.0})}
    assert len(ids) == 1


def test_another_value_seed_or_code_is_another_id(project: Project, settings: Settings) -> None:
    plans = [
        _plan(project, settings),
        _plan(project, settings, {"factor": 3}),
        _plan(project, settings, seed=1),
        _plan(project, settings, code=["x = factor + 0"]),
    ]
    assert len({plan.id for plan in plans}) == 4


def test_parameters_are_refused_before_the_kernel_is_looked_for(project: Project, settings: Settings) -> None:
    with pytest.raises(ParameterError, match=r"experiment\.ipynb: parameters that the notebook does not accept"):
        _plan(project, settings, {"fctor": 1}, front={"kernel": "none"})


def test_an_unknown_kernel_is_answered_with_the_known_ones(project: Project, settings: Settings) -> None:
    with pytest.raises(UnknownName, match="no kernel named 'radiobiologie'; did you mean radiobiology"):
        _plan(project, settings, front={"kernel": "radiobiologie"})


def test_a_missing_dataset_is_named_alone_and_several_are_listed(project: Project, settings: Settings) -> None:
    with pytest.raises((UnknownName, DatasetError), match="counts"):
        _plan(project, settings, front={"datasets": ["counts@1"]})
    with pytest.raises(InputError, match="datasets that cannot be used") as caught:
        _plan(project, settings, front={"datasets": ["counts@1", "rbe@2"]})
    assert len(caught.value.issues) == 2


def test_a_lock_that_has_drifted_or_is_not_installed_ends_the_plan(project: Project, settings: Settings) -> None:
    lock = project.folder / "kernels" / "radiobiology" / "requirements.lock"
    whole = lock.read_text()
    lock.write_text(whole + "certainly-not-installed==1.0\n")
    with pytest.raises(KernelUnavailable, match="certainly-not-installed"):
        _plan(project, settings)
    requirements = lock.with_name("requirements.in")
    requirements.write_text(requirements.read_text() + "seaborn\n")
    with pytest.raises(LockDrift):
        _plan(project, settings)
