"""The pages of a run that a kernel really made, of a dataset of this repository."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from braggbook.files import sha256_file
from braggbook.hub.look.datasets import show_dataset
from braggbook.hub.look.runs import list_runs, run_file, show_run

from ....conftest import Project
from .look_helpers import settings_of

pytestmark = pytest.mark.full
ROOT = Path(__file__).parents[4]
DATASET = "colony_counts_cal33_okf6"
CODE = """\
import braggbook as bb
counts = bb.load("colony_counts_cal33_okf6@1")
chosen = counts[counts.dose_gy == dose_gy]
bb.result("rows", len(chosen), unit="1", interval=(1, 20))
bb.result("dose", dose_gy, unit="Gy", uncertainty=0.1)
bb.result("counts", chosen[["cells_seeded", "colonies"]], units={"cells_seeded": "1", "colonies": "1"})
"""
RESULTS = {
    "dose": {"unit": "Gy", "help": "the dose that was chosen"}, "rows": {"unit": "1"},
    "counts": {"kind": "table", "units": {"cells_seeded": "1", "colonies": "1"}},
}  # fmt: skip


def test_run_and_its_dataset(project: Project) -> None:
    shutil.copytree(ROOT / "datasets" / DATASET, project.folder / "datasets" / DATASET)
    front = {"datasets": [f"{DATASET}@1"], "parameters": {"dose_gy": {"unit": "Gy", "help": "which dose"}}}
    project.experiment("colonies", code=[CODE], parameters="dose_gy: float = 2.0", results=RESULTS, front=front)
    answer = project.run("colonies", "-p", "dose_gy=4 Gy")
    assert answer.code == 0, answer.out + answer.err
    settings = settings_of(project.folder.parent)
    (line,) = list_runs(settings, notebook="colonies", dataset=DATASET).items
    assert (line.id, line.verdict) == (answer.json["run_id"], "complete")
    shown = show_run(line.id, settings)
    (parameter,) = shown.parameters
    assert (parameter.value, parameter.unit, parameter.default, parameter.changed) == ("4", "Gy", "2", True)
    assert parameter.help == "which dose"
    assert [(one.name, one.value, one.interval, one.help) for one in shown.results] == [
        ("dose", "4.00 ± 0.10 Gy", "", "the dose that was chosen"),
        ("rows", "12", "95 %: 1.0 to 20.0", ""),
        ("counts", "table, 12 rows: cells_seeded, colonies", "", ""),
    ]
    for file in shown.files:
        assert sha256_file(run_file(line.id, file.name, settings)) == file.sha256
    assert shown.report == "report.html"
    dataset = show_dataset(DATASET, settings)
    assert [run.id for run in dataset.runs.items] == [line.id]
