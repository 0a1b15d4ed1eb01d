"""Which constants of published models a run rests on, and what another value would move."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from braggbook.radiobiology.constants import constants_version

from ..conftest import Project

pytestmark = pytest.mark.full

POINT = "dose_gy=2.0, let_kev_um=5.0, alpha_beta_gy=3.0"
CODE = [
    "import braggbook as bb",
    "bb.result('before', 1.0, unit='1')",
    f"bb.result('rbe', bb.radiobiology.proton_rbe('mcnamara', {POINT}), unit='1')",
]
RESULTS = {"before": {"unit": "1"}, "rbe": {"unit": "1"}}
NAME = "mcnamara.rbe_max_constant"


@pytest.fixture
def models(project: Project) -> Project:
    project.experiment("uses_it", code=CODE, results=RESULTS)
    project.experiment("does_not", code=["import braggbook as bb", "bb.result('x', 1.0, unit='1')"])
    return project


def test_a_result_says_which_constants_had_been_read(models: Project) -> None:
    run = Path(models.run("uses_it").json["run_dir"])
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))["results"]
    assert "constants" not in results["before"]
    assert results["rbe"]["constants"][NAME] == 0.99064
    assert {name.split(".")[0] for name in results["rbe"]["constants"]} == {"mcnamara"}
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert record["constants_version"] == constants_version()
    assert NAME in (run / "report.html").read_text(encoding="utf-8")
    other = Path(models.run("does_not").json["run_dir"])
    assert json.loads((other / "run.json").read_text(encoding="utf-8"))["constants_version"] is None


def test_a_supposed_value_lists_the_results_that_move_and_records_nothing(models: Project) -> None:
    answer = models.call("show", "constants", NAME, "--suppose", "0.999064", "--json")
    assert answer.code == 0, answer.err
    found = {item["notebook"]: item for item in answer.json["consequences"]}
    assert found["does_not"] == {"notebook": "does_not", "uses": False, "moved": [], "problem": ""}
    (moved,) = found["uses_it"]["moved"]
    assert moved["name"] == "rbe"
    assert moved["expected"] == pytest.approx(1.269537, abs=1e-6)
    assert moved["actual"] == pytest.approx(1.272663, abs=1e-6)
    recorded = [path.name for path in models.runs.iterdir() if not path.name.startswith(".")]
    assert len(recorded) == 2, "only the runs as they are"
    text = models.call("show", "constants", NAME, "--suppose", "0.99064").out
    assert f"no result of this project's notebooks would move if {NAME} were 0.99064" in text
    assert "uses it, but nothing moves: uses_it" in text


def test_two_runs_with_another_choice_differ_in_the_constant(models: Project) -> None:
    first = models.run("uses_it").json["run_dir"]
    chosen = f"""\
from braggbook.radiobiology.constants import taking
with taking({{"{NAME}": "matRad"}}):
    bb.result("rbe", bb.radiobiology.proton_rbe("mcnamara", {POINT}), unit="1")
"""
    models.experiment("uses_it", code=[CODE[0], chosen, CODE[1]], results=RESULTS)
    second = models.run("uses_it").json["run_dir"]
    answer = models.call("diff", first, second, "--json")
    rows = {(row["part"], row["name"]): row for row in answer.json["differences"]}
    assert rows["constants", NAME]["first"] == "0.99064"
    assert rows["constants", NAME]["second"] == "0.999064"
    assert ("results", "rbe") in rows


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("constants", "mcnamara.rbe_max_constnt"), "did you mean mcnamara.rbe_max_constant"),
        (("constants", NAME, "--suppose", "nan"), "finite"),
        (("kernel", "radiobiology", "--suppose", "1"), "only a constant can be supposed"),
        (("constants", "--suppose", "1"), "only a constant can be supposed"),
        (("kernel",), "which kernel?"),
    ],
)
def test_what_is_no_constant(models: Project, words: tuple[str, ...], text: str) -> None:
    answer = models.call("show", *words)
    assert answer.code == 2
    assert text in answer.err
    assert "Traceback" not in answer.err


def test_a_model_s_name_shows_its_constants(models: Project) -> None:
    answer = models.call("show", "constants", "mcnamara", "--json")
    names = [row["constant"] for row in answer.json["constants"]]
    assert len(names) == 4
    assert all(name.startswith("mcnamara.") for name in names)


def test_importing_every_model_reads_no_constant() -> None:
    code = "from braggbook.radiobiology import constants as c; c.constants(); print(c.constants_read())"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "{}"
