"""What goes wrong in a notebook or around it: the right verdict, the right exit code, nothing lost or half-written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from ..conftest import Project, folders

pytestmark = pytest.mark.full

GOOD = 'import braggbook as bb\nbb.result("x", 1.5, unit="1")'


def _record(project: Project, answer: dict) -> Path:
    folder = Path(answer["run_dir"])
    assert folder == project.runs / "failed" / answer["run_id"]
    assert folders(project.runs) == ["failed"], "a run that is not complete must not stand under a run's name"
    for name in ("run.json", "report.html", "executed.ipynb", "ro-crate-metadata.json", "log.jsonl"):
        assert (folder / name).is_file()
    return folder


def _no_kernel_left(project: Project) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        left = [p for p in psutil.process_iter(["cmdline"]) if str(project.folder) in " ".join(p.info["cmdline"] or [])]
        if not left:
            return True
        time.sleep(0.2)
    return False


@pytest.mark.parametrize(
    ("code", "verdict", "kind", "words"),
    [
        ("1 / 0", "failed", "cell", "ZeroDivisionError: division by zero"),
        ("import os; os._exit(7)", "killed", "kernel", "exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "killed", "kernel", "signal 11"),
        ("import sys; sys.exit(0)", "failed", "cell", "SystemExit"),
        ("x = bytearray(3 << 30)", "failed", "cell", "MemoryError"),
        ("import time; time.sleep(60)", "timed out", "timeout", "longer than 4 s"),
        ("while True: pass", "timed out", "timeout", "longer than 4 s"),
        ("def (", "failed", "cell", "SyntaxError"),
    ],
)
def test_a_cell_that_ends_badly(project: Project, code: str, verdict: str, kind: str, words: str) -> None:
    project.experiment("bad", code=["y = 1", code, GOOD])
    answer = project.run("bad", "--cell-timeout", "4", "--memory-limit", "2048")
    assert answer.code == 3, answer.err
    assert answer.json["verdict"] == verdict
    assert answer.json["failure"]["kind"] == kind
    assert words in answer.json["failure"]["message"]
    assert answer.json["failure"]["cell"] == 3
    folder = _record(project, answer.json)
    executed = (folder / "executed.ipynb").read_text()
    assert executed.count('"status": "complete"') == 2  # parameters and the first cell
    assert executed.count('"status": "not run"') == 1  # papermill would call it completed
    assert _no_kernel_left(project)


def test_a_cell_that_prints_a_lot(project: Project) -> None:
    project.experiment("loud", code=["for i in range(2000): print('a' * 50_000)", GOOD])
    answer = project.run("loud", env={"BRAGGBOOK_OUTPUT_LIMIT_MB": "1"})
    assert answer.code == 0, answer.err
    folder = Path(answer.json["run_dir"])
    assert (folder / "executed.ipynb").stat().st_size < 3 << 20
    assert "the run's outputs grew past 1 MB" in (folder / "executed.ipynb").read_text()
    assert answer.json["results"]["x"]["value"] == 1.5


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "declared result is missing"),
        ('import braggbook as bb\nbb.result("x", 1.0, unit="Gy")', "result in another unit"),
        ('import braggbook as bb\nbb.result("x", 1.0, unit="1")\nbb.result("z", 1.0, unit="1")', "not declared in the front matter"),
        ('import braggbook as bb\nbb.result("x", 1.0, unit="1")\nbb.result("x", 2.0, unit="1")', "declared twice"),
        ("import os\nopen(os.environ['BRAGGBOOK_RESULTS'], 'w').write('{\"kind\": \"scalar\", \"name\": \"x\", \"value\": NaN, \"unit\": \"1\"}')", "finite"),
    ],
)  # fmt: skip
def test_results_that_are_not_as_declared(project: Project, code: str, words: str) -> None:
    project.experiment("wrong", code=[code])
    answer = project.run("wrong")
    assert answer.code == 3, answer.err
    assert (answer.json["verdict"], answer.json["failure"]["kind"]) == ("failed", "results")
    assert any(words in issue["what"] + issue["wanted"] for issue in answer.json["failure"]["issues"])
    _record(project, answer.json)


def test_a_result_that_is_not_finite_fails_in_its_own_cell(project: Project) -> None:
    project.experiment("nan", code=['import braggbook as bb\nbb.result("x", float("nan"), unit="1")'])
    answer = project.run("nan")
    assert answer.code == 3
    assert "ResultError" in answer.json["failure"]["message"]
    assert "not finite" in answer.json["failure"]["message"]


def _wait_for(path: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)


def _started(project: Project, tmp_path: Path, *options: str) -> tuple[subprocess.Popen[str], Path]:
    """Starts a run and waits until its second cell is under way."""
    mark = tmp_path / "begun"
    code = f"open({str(mark)!r}, 'w').close()\nimport time\ntime.sleep(120)"
    project.experiment("slow", code=[GOOD, code])
    process = project.start("run", "slow", "--json", *options)
    _wait_for(mark)
    return process, mark


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_a_person_stops(project: Project, tmp_path: Path, number: signal.Signals) -> None:
    process, _ = _started(project, tmp_path)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    import json

    answer = json.loads(out)
    assert answer["verdict"] == "interrupted"
    assert answer["results"]["x"]["value"] == 1.5  # what was there is kept
    _record(project, answer)
    assert _no_kernel_left(project)


def test_a_runner_that_is_killed_leaves_nothing(project: Project, tmp_path: Path) -> None:
    process, _ = _started(project, tmp_path)
    process.kill()
    process.communicate()
    assert _no_kernel_left(project), "the kernel must end with its runner"
    assert folders(project.runs) == []
    project.experiment("slow", code=[GOOD])
    assert project.run("slow").code == 0
    assert not any((project.runs / ".staging").iterdir()), "the next run sweeps what the killed one left"


def test_a_runner_that_is_killed_at_any_moment(project: Project) -> None:
    project.experiment("quick", code=[GOOD])
    for wait in (0.3, 0.9, 1.5, 2.0, 2.5, 3.0, 3.5):
        process = project.start("run", "quick", "--force")
        time.sleep(wait)
        process.kill()
        process.communicate()
        for name in folders(project.runs):
            verified = project.call("show", "run", name, "--json")
            assert verified.code == 0, verified.err
            assert verified.json["verdict"] == "complete"
    assert project.run("quick").code == 0


def test_two_runs_of_one_id_at_once(project: Project, tmp_path: Path) -> None:
    counter = tmp_path / "executions"
    code = f"import os, time\nos.write(os.open({str(counter)!r}, os.O_CREAT | os.O_APPEND | os.O_WRONLY), b'x')\ntime.sleep(2)"
    project.experiment("once", code=[code, GOOD])
    processes = [project.start("run", "once", "--json") for _ in range(3)]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], answers
    assert counter.read_text() == "x", "one executes, the others are answered from its folder"
    assert any("waiting" in err for _, err in answers)


def test_the_same_run_again_is_answered_from_its_folder(project: Project) -> None:
    project.experiment("again", code=[GOOD])
    first, second = project.run("again").json, project.run("again").json
    assert (first["cached"], second["cached"]) == (False, True)
    assert first["run_id"] == second["run_id"]
    forced = project.run("again", "--force").json
    assert (forced["cached"], forced["run_id"]) == (False, first["run_id"])
    assert folders(project.runs) == [first["run_id"]]


def test_a_forced_repetition_that_fails_does_not_take_the_good_runs_place(project: Project, tmp_path: Path) -> None:
    switch = tmp_path / "switch"
    project.experiment("fickle", code=[GOOD, f"import os\nassert not os.path.exists({str(switch)!r})"])
    good = project.run("fickle").json
    switch.touch()
    assert project.run("fickle", "--force").code == 3
    assert project.call("show", "run", str(project.runs / good["run_id"]), "--json").json["verdict"] == "complete"


def test_a_full_disk(project: Project, needs) -> None:
    mount, umount = needs("mount"), needs("umount")
    disk = project.folder / "small"
    disk.mkdir()
    if os.geteuid() or subprocess.run([mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        project.experiment("big", code=[GOOD])
        answer = project.run("big", env={"BRAGGBOOK_RUNS": str(disk)})
        assert answer.code == 4, answer.err
        assert "the disk is full" in answer.err
        assert folders(disk) == [], "nothing half-written stays"
        assert project.run("big").code == 0
    finally:
        subprocess.run([umount, "-l", disk], check=True)


def test_a_project_that_may_not_be_written(project: Project) -> None:
    project.experiment("good", code=[GOOD])
    (project.folder / "runs").write_text("a file stands where the folder should be")
    answer = project.run("good")
    assert answer.code == 4
    assert "cannot write" in answer.err
    assert "Traceback" not in answer.err


def test_a_project_at_an_odd_place(kernel_template: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my {lab} ü %s $HOME"
    shutil.copytree(kernel_template, folder)
    odd = Project(folder)
    path = odd.experiment("good", code=[GOOD], parameters='name: str = "a"')
    answer = odd.run("good", "-p", 'name=it\'s {a} "quoted" \\ ünï\n line')
    assert answer.code == 0, answer.err
    assert odd.call("verify", answer.json["run_dir"]).code == 0
    from_outside = Project(tmp_path).call("run", path, "--json")
    assert from_outside.code == 0, from_outside.err
    assert Path(from_outside.json["run_dir"]).parent == folder / "runs", "a notebook's own project is found"


def test_a_forced_repetition_that_differs_says_so(project: Project, tmp_path: Path) -> None:
    value = tmp_path / "value"
    project.experiment(
        "drift", code=[f'import braggbook as bb\nbb.result("x", float(open({str(value)!r}).read()), unit="1")']
    )
    value.write_text("1")
    assert project.run("drift").json["changed"] == []
    value.write_text("2")
    answer = project.run("drift", "--force")
    assert answer.code == 0
    assert answer.json["changed"] == ["x (1.0 against 2.0: differs by 1 of it)"]
    assert "differs from the earlier execution" in answer.err


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("nothing", None, "no such notebook"),
        ("text", "hello", "not JSON"),
        ("cut", '{"cells": [{"cell_type": "mark', "cut short"),
        ("list", "[1, 2]", "not a notebook"),
        ("empty", '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "no front matter"),
        ("Wrong Name", '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "not a slug"),
    ],
)
def test_what_is_no_notebook(project: Project, name: str, text: str | None, words: str) -> None:
    path = project.folder / f"{name}.ipynb"
    if text is not None:
        path.write_text(text)
    answer = project.call("run", path)
    assert answer.code == 2
    assert words in answer.err
    assert "Traceback" not in answer.err
    assert "next: " in answer.err or "wanted" in answer.err
    assert folders(project.runs) == []


def test_datasets_that_cannot_be_used(project: Project) -> None:
    from .test_verify import make_dataset

    project.experiment("sums", code=[GOOD], front={"datasets": ["counts@1"]})
    missing = project.run("sums")
    assert (missing.code, "no dataset named 'counts'" in missing.err) == (2, True)
    folder = make_dataset(project)
    (folder / "counts.csv").write_text("colonies\n12\n34\n57\n")
    changed = project.run("sums")
    assert changed.code == 2
    assert "counts.csv" in changed.err
    assert "sha256" in changed.err
    (folder / "counts.csv").unlink()
    gone = project.run("sums")
    assert (gone.code, "counts.csv" in gone.err) == (2, True)
    (folder / "counts.csv").mkdir()
    unreadable = project.run("sums")
    assert (unreadable.code, "counts.csv" in unreadable.err) == (2, True)
    (folder / "dataset.toml").write_text("title = ")
    assert project.run("sums").code == 2
    project.experiment("sums", code=[GOOD], front={"datasets": ["counts@2"]})
    assert project.run("sums").code == 2
    assert folders(project.runs) == []


def test_a_lock_that_has_drifted(project: Project) -> None:
    project.experiment("good", code=[GOOD])
    requirements = project.folder / "kernels" / "radiobiology" / "requirements.in"
    requirements.write_text(requirements.read_text() + "seaborn\n")
    answer = project.run("good")
    assert answer.code == 3
    assert "braggbook kernel lock radiobiology" in answer.err
    assert project.call("check").code == 1


def test_a_result_that_is_too_large_for_a_notebook(project: Project) -> None:
    code = (
        "import braggbook as bb, numpy as np, xarray as xr\n"
        'bb.result("x", xr.DataArray(np.zeros(10_000_000), dims="i", name="x"))'
    )
    project.experiment("huge", code=[code], results={"x": {"kind": "dataset"}})
    answer = project.run("huge")
    assert answer.code == 3
    assert "too large for a declared result" in answer.json["failure"]["message"]


def test_cells_are_counted_as_the_notebook_has_them(project: Project) -> None:
    project.experiment("second", code=["1 / n", GOOD], parameters="n: int = 0")
    assert "code cell 2 raised ZeroDivisionError" in project.run("second").json["failure"]["message"]
    project.experiment("second", code=["1 / (n - 5)", GOOD], parameters="n: int = 0")
    assert "code cell 2 raised ZeroDivisionError" in project.run("second", "-p", "n=5").json["failure"]["message"]


def test_a_temporary_folder_with_a_long_path(project: Project, tmp_path: Path) -> None:
    long = tmp_path / ("long" * 30)
    long.mkdir()
    project.experiment("good", code=[GOOD])
    answer = project.run("good", env={"TMPDIR": str(long)}, timeout=60)
    assert answer.code == 0, answer.err


@pytest.mark.parametrize(
    "argv", [["/bin/false"], ["no_such_program"], ["python", "-c", "import time; time.sleep(100)"]]
)
def test_a_kernel_that_does_not_start(project: Project, argv: list[str]) -> None:
    import json

    project.experiment("good", code=[GOOD])
    spec = project.folder / "kernels" / "radiobiology" / "kernel.json"
    spec.write_text(json.dumps({"argv": argv, "display_name": "broken", "language": "python"}))
    answer = project.run("good", env={"BRAGGBOOK_START_TIMEOUT_S": "5"}, timeout=60)
    assert answer.code == 3, answer.err
    assert (answer.json["verdict"], answer.json["failure"]["kind"]) == ("failed", "kernel start")
    _record(project, answer.json)
    assert _no_kernel_left(project)
