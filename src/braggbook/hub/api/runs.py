"""Runs, for programs."""

from __future__ import annotations

import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from braggbook.hub.api.answers import problems
from braggbook.hub.api.datasets import RecordAnswer
from braggbook.hub.look.runs import ResultShown, RunShown, list_runs, show_run
from braggbook.hub.pages.runs import require_runs
from braggbook.hub.web.rendering import url
from braggbook.hub.web.visitor import Asking, AtDesk

router = APIRouter(tags=["runs"])
RunId = Annotated[str, Path(max_length=100, description="The run's id: 24 hexadecimal digits.")]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class ResultAnswer(_Answer):
    """A declared result, as people write it."""

    name: str
    kind: str
    value: str
    unit: str
    interval: str = Field(description="With its level and method; empty where there is none.")
    exact: str = Field(description="A number with all its digits.")


class RunShort(_Answer):
    """A run in a list; of one that cannot be read only the id and the problem."""

    id: str
    notebook: str
    title: str
    verdict: str
    ended: datetime.datetime | None
    seconds: float | None
    results: list[ResultAnswer] = Field(description="The first ones.")
    more_results: int
    problem: str
    page: str


class RunList(_Answer):
    """A page of the runs, the newest first."""

    runs: list[RunShort]
    page: int
    pages: int
    total: int


class RunFileAnswer(_Answer):
    """A file of a run."""

    name: str
    bytes: int
    sha256: str
    address: str


class RunAnswer(_Answer):
    """A run."""

    id: str
    notebook: str
    title: str
    verdict: str
    failure: str
    ended: datetime.datetime | None
    seconds: float | None
    parameters: dict[str, Any]
    results: list[ResultAnswer]
    datasets: list[str] = Field(description="Their references, slug@version.")
    kernel: str
    kernel_lock: str = Field(description="SHA-256 of the lock.")
    python: str
    braggbook: str
    seed: int
    files: list[RunFileAnswer]
    records: list[RecordAnswer]
    binder: str | None
    crate: str = Field(description="Address of all its files, a zip.")
    commands: list[str] = Field(description="What repeats and compares it.")
    problems: list[str] = Field(description="What of it cannot be read.")
    page: str


@router.get("/runs", name="api_runs", responses=problems(401, 403, 422, 503))
def all_runs(
    request: Request,
    desk: AtDesk,
    visitor: Asking,
    notebook: Annotated[str | None, Query(max_length=100, description="Only its runs.")] = None,
    dataset: Annotated[str | None, Query(max_length=120, description="Only runs that used it, slug[@version].")] = None,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> RunList:
    """The runs that lie here, the newest first."""
    require_runs(desk, visitor)
    found = list_runs(desk.settings, notebook=notebook, dataset=dataset, page=page)
    runs = [
        RunShort(
            id=one.id, notebook=one.notebook, title=one.title, verdict=one.verdict, ended=one.when,
            seconds=one.seconds, results=[_result(result) for result in one.results],
            more_results=one.more_results, problem=one.problem, page=url(request, "run", id=one.id),
        )
        for one in found.items
    ]  # fmt: skip
    return RunList(runs=runs, page=found.number, pages=found.pages, total=found.total)


@router.get("/runs/{id}", name="api_run", responses=problems(401, 403, 404, 422, 503))
def one_run(request: Request, desk: AtDesk, visitor: Asking, id: RunId) -> RunAnswer:
    """A run: what came of it, with what, and how it is repeated."""
    require_runs(desk, visitor)
    return _answer(request, show_run(id, desk.settings))


def _answer(request: Request, run: RunShown) -> RunAnswer:
    files = [
        RunFileAnswer(
            name=one.name, bytes=one.bytes, sha256=one.sha256,
            address=url(request, "run_file", id=run.id, path=one.name),
        )
        for one in run.files
    ]  # fmt: skip
    return RunAnswer(
        id=run.id, notebook=run.notebook, title=run.title, verdict=run.verdict, failure=run.failure, ended=run.when,
        seconds=run.seconds, parameters=run.record.parameters, results=[_result(one) for one in run.results],
        datasets=[one.reference for one in run.datasets], kernel=run.kernel, kernel_lock=run.lock_sha256,
        python=run.python, braggbook=run.braggbook, seed=run.seed, files=files,
        records=[
            RecordAnswer(doi=one.doi, archive=one.archive, page=one.page, published=one.when) for one in run.records
        ],
        binder=run.binder, crate=url(request, "run_crate", id=run.id), commands=list(run.commands),
        problems=list(run.problems), page=url(request, "run", id=run.id),
    )  # fmt: skip


def _result(one: ResultShown) -> ResultAnswer:
    return ResultAnswer(
        name=one.name, kind=one.kind, value=one.value, unit=one.unit, interval=one.interval, exact=one.exact
    )  # fmt: skip
