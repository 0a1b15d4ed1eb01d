"""The notebooks that ship: each runs, verifies as identical, and gives the published numbers."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from ..conftest import ROOT, Project, folders
from .shipped import SHIPPED, WITH_DATA

pytestmark = pytest.mark.full

RECORDED = Path(__file__).with_name("shipped_results.json")
# slug, result, value, relative tolerance, source
PUBLISHED = [
    ("clonogenic_survival", "alpha_okf6", 0.5193789753, 1e-6, "CFAssay, OKF6/TERT1, ML, plating fitted"),
    ("clonogenic_survival", "beta_okf6", 0.0210261381, 1e-6, "the same"),
    ("clonogenic_survival", "alpha_cal33", 0.2683191794, 1e-6, "CFAssay, CAL 33, ML, plating fitted"),
    ("clonogenic_survival", "beta_cal33", 0.0489235474, 1e-6, "the same"),
    ("clonogenic_survival", "dispersion_okf6", 4.337128191, 1e-4, "the same fit"),
    ("clonogenic_survival", "f_statistic", 7.3509, 1e-4, "CFAssay, comparison of the two curves"),
    ("clonogenic_survival", "p_value", 0.0014629, 1e-4, "the same"),
    ("clonogenic_survival", "dose_ratio", 1.210743, 1e-6, "ratio of the two D10"),
]


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """Waits until no other worker of this test run is here."""
    with place.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the project's content, for all workers, so that runs of tests do not pile up in the checkout."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "flagships" / "project"
    folder.parent.mkdir(exist_ok=True)
    with alone(folder.with_suffix(".lock")):
        if not folder.exists():
            for part in ("notebooks", "datasets", "kernels"):
                shutil.copytree(ROOT / part, folder / part)
            shutil.copyfile(ROOT / "requirements.lock", folder / "requirements.lock")
    return Project(folder)


class Answers(dict[str, Any]):
    """What running each notebook answered; it is run when it is first asked for, once for all workers."""

    def __init__(self, home: Project) -> None:
        super().__init__()
        self.home = home

    def __missing__(self, slug: str) -> Any:
        kept = self.home.folder.with_name(f"{slug}.json")
        with alone(kept.with_suffix(".lock")):
            if not kept.exists():
                answer = self.home.run(slug)
                assert answer.code == 0, f"{slug}: {answer.out}{answer.err}"
                kept.write_text(json.dumps(answer.json))
        self[slug] = json.loads(kept.read_text())
        return self[slug]


@pytest.fixture(scope="module")
def answers(home: Project) -> Answers:
    return Answers(home)


def test_the_three_are_there() -> None:
    assert {"clonogenic_survival", "rbe_library", "proton_rbe_models"} <= set(WITH_DATA)


@pytest.mark.parametrize("slug", SHIPPED)
def test_it_verifies_as_identical_and_its_goals_are_answered_or_open(
    home: Project, answers: dict[str, Any], slug: str
) -> None:
    answer = home.call("verify", answers[slug]["run_dir"], "--json")
    assert (answer.code, answer.json["verdict"]) == (0, "identical"), answer.out
    assert len(answer.json["results"]) >= 5
    folder = Path(answers[slug]["run_dir"])
    assert {"figures", "tables", "report.html", "ro-crate-metadata.json"} <= set(folders(folder))


@pytest.mark.parametrize(("slug", "name", "value", "rtol", "source"), PUBLISHED)
def test_a_published_number(
    answers: dict[str, Any], slug: str, name: str, value: float, rtol: float, source: str
) -> None:
    assert answers[slug]["results"][name]["value"] == pytest.approx(value, rel=rtol), source


@pytest.mark.parametrize("slug", SHIPPED)
def test_no_shipped_number_moved_unseen(answers: dict[str, Any], slug: str) -> None:
    """Compares with the recorded numbers; ``scripts/record_results.py`` records them anew."""
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))[slug]
    results = json.loads((Path(answers[slug]["run_dir"]) / "results.json").read_text(encoding="utf-8"))["results"]
    numbers = {name: result["value"] for name, result in results.items() if result["kind"] == "scalar"}
    constants = {name: v for result in results.values() for name, v in (result.get("constants") or {}).items()}
    assert constants == recorded["constants"], "constants of published models changed: see which numbers move"
    assert numbers == pytest.approx(recorded["numbers"], rel=1e-9, abs=1e-12)


def test_proton_models_at_the_reference_point(answers: dict[str, Any]) -> None:
    """Dose 2 Gy, alpha/beta 3 Gy, LETd 5 keV/um: values computed from the papers' own formulas."""
    table = json.loads((Path(answers["proton_rbe_models"]["run_dir"]) / "results.json").read_text())["results"]
    scalars = {name: result["value"] for name, result in table.items() if result["kind"] == "scalar"}
    expected = {"wedenberg": 1.286541, "mcnamara": 1.269537, "carabe": 1.276940, "rorvik": 1.412175}
    for model, value in expected.items():
        found = [number for name, number in scalars.items() if model in name]
        assert any(number == pytest.approx(value, abs=1e-6) for number in found), model


@pytest.mark.parametrize("slug", SHIPPED)
def test_it_runs_cell_by_cell_without_any_runner(home: Project, slug: str) -> None:
    path = next((home.folder / "notebooks").rglob(f"{slug}.ipynb"))
    node = nbformat.read(path, as_version=4)
    NotebookClient(
        node, kernel_name="python3", timeout=300, resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    outputs = [output for cell in node.cells for output in cell.get("outputs", [])]
    assert not any(output.output_type == "error" for output in outputs)
    assert not any("Warning" in output.get("text", "") for output in outputs), "no warning is left to the reader"


def test_the_demonstration(home: Project) -> None:
    answer = home.call("demo")
    assert answer.code == 0, answer.err
    assert "identical" in answer.out
    for word in ("run     ", "report  "):
        path = next(line.removeprefix(word).strip() for line in answer.out.splitlines() if line.startswith(word))
        assert Path(path).exists()
    assert "1/Gy" in answer.out
    assert "95 %" in answer.out
