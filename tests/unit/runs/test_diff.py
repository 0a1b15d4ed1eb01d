"""What differs between two runs, and the results of many in one table."""

from __future__ import annotations

from pathlib import Path

import pytest

from braggbook.errors import InputError, RecordError
from braggbook.runs.diff import Difference, collect_runs, diff_runs

from .run_helpers import digest, make_run, scalar, table


def _differences(first: Path, second: Path) -> list[tuple[str, str, str, str]]:
    found, _ = diff_runs(first, second)
    return [(d.part, d.name, d.first, d.second) for d in found]


def test_a_run_does_not_differ_from_itself(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    assert diff_runs(folder, folder) == ([], [])


def test_two_runs_of_one_notebook_differ_in_parameters_and_results(tmp_path: Path) -> None:
    first = make_run(tmp_path)
    second = make_run(tmp_path, parameters={"factor": 3.0}, results={"x": scalar(3.0)})
    found, lines = diff_runs(first, second)
    assert found == [
        Difference("parameters", "factor", "2.0", "3.0"),
        Difference("results", "x", "2", "3 (value: 2.0 against 3.0: differs by 0.5 of it)"),
    ]
    assert lines == []


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"python": "3.13.0"}, ("python", "version", "3.11.7", "3.13.0")),
        ({"seed": 1}, ("seed", "seed", "0", "1")),
        ({"kernel_lock": digest("b")}, ("kernel", "lock", f"{digest('lock')[:12]}…", f"{digest('b')[:12]}…")),
        ({"braggbook": digest("b")}, ("braggbook", "code", f"{digest('wheel')[:12]}…", f"{digest('b')[:12]}…")),
        ({"datasets": {"counts@1": digest("b")}}, ("datasets", "counts@1", f"{digest('counts')[:12]}…", f"{digest('b')[:12]}…")),
        ({"datasets": {}}, ("datasets", "counts@1", f"{digest('counts')[:12]}…", "–")),
        ({"parameters": {"factor": 2.0, "n": 1}}, ("parameters", "n", "–", "1")),
        ({"packages": {"numpy": "2.5.0"}}, ("packages", "numpy", "2.4.6", "2.5.0")),
        ({"packages": {"numpy": "2.4.6", "scipy": "1.17"}}, ("packages", "scipy", "–", "1.17")),
        ({"results": {"x": scalar(2.0, "Gy")}}, ("results", "x", "2", "2 Gy (unit: '1' against 'Gy')")),
        ({"results": {}}, ("results", "x", "2", "– (not there after repeating)")),
    ],
)  # fmt: skip
def test_each_part_that_differs_is_named(tmp_path: Path, changes: dict, difference: tuple[str, str, str, str]) -> None:
    first, second = make_run(tmp_path / "a"), make_run(tmp_path / "b", **changes)
    assert _differences(first, second) == [difference]


def test_changed_code_is_shown_line_by_line(tmp_path: Path) -> None:
    first, second = make_run(tmp_path), make_run(tmp_path, code="bb.result('x', 2 * factor, unit='1')")
    found, lines = diff_runs(first, second)
    assert [(d.part, d.name) for d in found] == [("notebook", "source")]
    assert lines == [
        "--- first",
        "+++ second",
        "@@ -13,2 +13,2 @@",
        " # code cell 2",
        "-bb.result('x', factor, unit='1')",
        "+bb.result('x', 2 * factor, unit='1')",
    ]


def test_a_difference_within_tolerance_is_still_a_difference(tmp_path: Path) -> None:
    first, second = make_run(tmp_path / "a"), make_run(tmp_path / "b", results={"x": scalar(2.0 + 1e-12)})
    ((part, name, _, actual),) = _differences(first, second)
    assert (part, name) == ("results", "x")
    assert "2.000000000001" in actual


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="not a run"):
        diff_runs(make_run(tmp_path), tmp_path)


def test_many_runs_become_rows_with_units(tmp_path: Path) -> None:
    results = {"dose": scalar(1.5, "Gy", uncertainty=0.5, interval=(1, None)).model_copy(update={"name": "dose"})}
    first = make_run(tmp_path, results={**results, "t": table({"a": [1]})})
    second = make_run(tmp_path, parameters={"factor": 3.0})
    rows, units = collect_runs([first, second])
    assert rows == [
        {
            "run": first.name, "notebook": "experiment", "verdict": "complete", "factor": 2.0,
            "dose": 1.5, "dose_uncertainty": 0.5, "dose_lower": 1.0, "dose_upper": None,
        },
        {"run": second.name, "notebook": "experiment", "verdict": "complete", "factor": 3.0, "x": 2.0},
    ]  # fmt: skip
    assert units == {"dose": "Gy", "x": "1"}


def test_everything_that_cannot_be_collected_is_listed(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    first = make_run(tmp_path)
    second = make_run(tmp_path, seed=1, results={"x": scalar(2.0, "Gy")})
    with pytest.raises(InputError) as caught:
        collect_runs([tmp_path / "none", first, second])
    assert [str(issue) for issue in caught.value.issues] == [
        "none: not a run; wanted a folder with run.json",
        f"{second.name} x: one result in two units; wanted 1, got Gy",
    ]


def test_no_runs_are_no_rows() -> None:
    assert collect_runs([]) == ([], {})
