"""A sweep from Python: a dataset whose points are executed when their values are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr

from braggbook.formats.result import Result, ScalarResult
from braggbook.formats.run import Engine
from braggbook.notebooks.catalogue import find_notebook
from braggbook.runs.design import design_from_values
from braggbook.runs.folder import read_results
from braggbook.runs.labels import FACTS, TEXT, coordinates, label, scalar_attrs
from braggbook.runs.plan import plan_run
from braggbook.runs.points import CANCELLED, PointsJob, run_point
from braggbook.runs.scalars import scalar_parts
from braggbook.runs.sweep import SweepPlan, plan_sweep, points_job
from braggbook.settings import Settings, load_settings

_PARTS = ("value", "uncertainty", "lower", "upper")


def sweep(
    notebook: str | Path,
    parameters: Mapping[str, Any] = MappingProxyType({}),
    /,
    *,
    together: Sequence[str] = (),
    seed: int = 0,
    engine: Engine | None = None,
    share: bool = True,
    retry_failed: bool = False,
    settings: Settings | None = None,
    **more: Any,
) -> xr.Dataset:
    """Returns the scalar results of a notebook over points of its parameters, none of which is executed yet.

    ``sweep("proton_rbe_models", let_kev_um=np.geomspace(1, 20, 8), alpha_beta_gy=[2, 10])`` is a dataset with the
    dimensions ``let_kev_um`` and ``alpha_beta_gy``, backed by Dask: ``.compute()`` executes every point that the values
    asked for need, and no other; each is a run with a folder, answered from there the next time. Without a
    :class:`distributed.Client` points are executed in processes forked from this machine's template; with one, on its
    workers. ``braggbook sweep`` also stores tables and arrays, and shows how far it is.

    Args:
        notebook: A name in the project, or a path.
        parameters: Values by name, beside ``more``, for names that this function has itself.
        together: Parameters whose values go together along one dimension, ``"a,b"`` or ``"dimension=a,b"``.
        seed: Of ``bb.rng()`` in every run.
        engine: ``"shell"``, ``"warm"`` or ``"kernel"``; None takes the quickest that has what the notebook needs.
        share: Execute cells that no swept parameter can reach once for all points.
        retry_failed: Execute points again that have failed before.
        settings: Limits and places; None reads them as the command line does.
        more: Values by name: one of the parameter's type fixes it, several (a list, an array) sweep it, and a text is
            read as the command line reads it (``"1:100:log20"``).

    Returns:
        For each scalar its value, ``_uncertainty``, ``_lower`` and ``_upper``, with units (NaN where a point has none
        or did not complete; a limit that does not exist is infinite); ``run_id``, ``status`` and ``reason`` of each
        point. One chunk is one point.

    Raises:
        ParameterError: Values that the notebook does not accept.
        KernelUnavailable: The notebook cannot be executed like that.
    """
    settings = load_settings()[0] if settings is None else settings
    source = find_notebook(str(notebook), project=settings.project)
    design = design_from_values(source.parameters, {**parameters, **more}, together=together, where=source.path.name)
    base = plan_run(source, {}, settings=settings, seed=seed)
    plan = plan_sweep(base, design, engine=engine, share=share)
    return _dataset(plan, points_job(plan, settings=settings, retry_failed=retry_failed))


def _dataset(plan: SweepPlan, job: PointsJob) -> xr.Dataset:
    notebook, design = plan.base.notebook, plan.design
    specs = notebook.front.braggbook.results
    labels = label(design, notebook.parameters, specs=specs)
    scalars = list(labels.scalars)
    numbers, texts = _grids(plan, job, scalars)
    dims = tuple(design.shape)
    found = {
        labels.scalars[name][part]: (dims, numbers[..., i, j], scalar_attrs(name, specs[name], part=part))
        for i, name in enumerate(scalars)
        for j, part in enumerate(_PARTS)
    }
    found |= {labels.facts[fact]: (dims, texts[..., i], {}) for i, fact in enumerate(FACTS)}
    attrs = {"title": notebook.front.title, "notebook": notebook.slug, "sweep": plan.id}
    return xr.Dataset(found, coords=coordinates(design, notebook.parameters), attrs=attrs)


def _grids(plan: SweepPlan, job: PointsJob, scalars: list[str]) -> tuple[da.Array, da.Array]:
    """Returns the numbers (..., scalar, part) and the texts (..., fact) of all points."""
    shared = dask.delayed(job, traverse=False, pure=False)
    point = dask.delayed(_point, nout=2, pure=False)
    number_shape, text_shape = (len(scalars), len(_PARTS)), (len(FACTS),)
    numbers, texts = [], []
    for each in plan.design.points():
        number, text = point(shared, each.values, scalars)
        numbers.append(da.from_delayed(number, shape=number_shape, dtype=float))
        texts.append(da.from_delayed(text, shape=text_shape, dtype=TEXT))
    shape = tuple(plan.design.shape.values())
    return _stacked(numbers, shape), _stacked(texts, shape)


def _stacked(blocks: list[da.Array], shape: tuple[int, ...]) -> da.Array:
    """Joins the points' blocks to one array; the sweep's dimensions come first, the last of them turns fastest."""
    for length in reversed(shape):
        blocks = [da.stack(blocks[i : i + length]) for i in range(0, len(blocks), length)]
    return blocks[0]


def _point(job: PointsJob, values: Mapping[str, Any], scalars: list[str]) -> tuple[Any, Any]:
    CANCELLED.clear()
    outcome = run_point(job, values)
    results: Mapping[str, Result] = {}
    if outcome.status == "complete" and outcome.folder is not None:
        results = read_results(outcome.folder).results
    numbers = np.full((len(scalars), len(_PARTS)), np.nan)
    for i, name in enumerate(scalars):
        result = results.get(name)
        known = scalar_parts(result if isinstance(result, ScalarResult) else None)
        for j, part in enumerate(_PARTS):
            if known.get(part) is not None:
                numbers[i, j] = known[part]
    return numbers, np.array([outcome.run_id, outcome.status, outcome.reason], dtype=TEXT)
