"""``bb.sweep``: a dataset whose points are executed when their values are asked for, and not before."""

from __future__ import annotations

from pathlib import Path

import distributed
import numpy as np
import pytest
import xarray as xr

import braggbook as bb
from braggbook.errors import KernelUnavailable, ParameterError
from braggbook.runs.points import leave_sweep
from braggbook.settings import Settings, load_settings

from ..conftest import Project

pytestmark = pytest.mark.full

CODE = """
import braggbook as bb
if dose_gy == 3:
    raise ValueError("no such dose")
bb.result("x", 2 * dose_gy + len(line), unit="1", uncertainty=0.5)
"""


@pytest.fixture
def settings(project: Project) -> Settings:
    project.experiment("lazy", parameters="dose_gy: float = 1.0\nline: str = 'V79'\n", code=[CODE])
    return load_settings({"project": str(project.folder), "runs": str(project.runs)})[0]


def _runs(settings: Settings) -> int:
    return sum(len(path.name) == 24 for path in settings.runs.glob("*"))


def _sweep(settings: Settings, **values: object) -> xr.Dataset:
    return bb.sweep("lazy", settings=settings, **values)


def test_only_the_points_that_are_asked_for_are_executed(settings: Settings) -> None:
    found = _sweep(settings, dose_gy=[1, 2, 4], line=["A", "BC"])
    assert _runs(settings) == 0
    assert found.x.dims == ("dose_gy", "line")
    assert float(found.x.sel(dose_gy=4, line="BC").compute()) == 10
    assert _runs(settings) == 1
    whole = found.compute()
    assert _runs(settings) == 6
    np.testing.assert_array_equal(whole.x, [[3, 4], [5, 6], [9, 10]])
    np.testing.assert_array_equal(whole.x_uncertainty, np.full((3, 2), 0.5))
    assert whole.x.attrs["units"] == "1"
    assert set(whole.status.values.ravel()) == {"complete"}
    leave_sweep(found.attrs["sweep"])


def test_a_point_that_fails_has_no_value_and_says_why(settings: Settings) -> None:
    found = _sweep(settings, dose_gy=[2, 3]).compute()
    np.testing.assert_array_equal(found.x, [7, np.nan])
    assert list(found.status.values) == ["complete", "failed"]
    assert "no such dose" in str(found.reason[1].values)


def test_the_dataset_can_be_stored_and_read_again(settings: Settings, tmp_path: Path) -> None:
    found = _sweep(settings, dose_gy=[1, 2]).compute()
    found.to_zarr(tmp_path / "kept.zarr", consolidated=False)
    with xr.open_zarr(tmp_path / "kept.zarr", consolidated=False) as again:
        xr.testing.assert_identical(again.load(), found)


def test_points_are_executed_by_a_cluster_that_is_there(settings: Settings) -> None:
    lazy = _sweep(settings, dose_gy=[1, 2, 4])
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster),
    ):
        np.testing.assert_array_equal(lazy.x.compute(), [5, 7, 11])


def test_values_that_the_notebook_does_not_accept_are_refused_at_once(settings: Settings) -> None:
    with pytest.raises(ParameterError, match="unknown parameter"):
        _sweep(settings, dose=[1, 2])


def test_an_engine_that_lacks_what_the_notebook_needs_is_refused(project: Project, settings: Settings) -> None:
    project.experiment(
        "asks", parameters="dose_gy: float = 1.0\n", code=["name = input()", CODE.replace("line", "'a'")]
    )
    with pytest.raises(KernelUnavailable, match="real kernel"):
        bb.sweep("asks", settings=settings, engine="shell", dose_gy=[1, 2])
