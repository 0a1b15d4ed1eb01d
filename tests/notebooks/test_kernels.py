"""Kernels that have an environment of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ..conftest import ROOT, Project

pytestmark = pytest.mark.full

CODE = 'import sys, braggbook as bb\nprint(sys.prefix)\nimport numpy\nbb.result("x", 1.0, unit="1")'


def test_install_run_and_verify_in_an_environment_of_its_own(tmp_path: Path) -> None:
    """The shipped kernel, in a project that pins one package more than the current environment has."""
    project = Project(tmp_path / "p")
    folder = project.folder / "kernels" / "radiobiology"
    shutil.copytree(ROOT / "kernels" / "radiobiology", folder)
    lock = folder / "requirements.lock"
    lock.write_text(
        lock.read_text().replace("\ntomlkit==", "\ntomlkit==0.13.2 #")
    )  # not the one of the current environment
    text = "\n".join(
        line.partition(" \\")[0] for line in lock.read_text().splitlines() if not line.startswith("    --hash")
    )
    lock.write_text(text + "\n")
    home = tmp_path / "home"
    home.mkdir()
    env = {"BRAGGBOOK_CACHE": str(tmp_path / "cache"), "JUPYTER_DATA_DIR": str(home / "jupyter")}
    project.experiment("own", code=[CODE])
    refused = project.run("own", env=env)
    assert refused.code == 3
    assert "braggbook kernel install radiobiology" in refused.err
    assert "tomlkit: not the locked version; wanted 0.13.2" in refused.err
    installed = project.call("kernel", "install", "radiobiology", "--json", env=env, timeout=600)
    assert installed.code == 0, installed.err
    assert (home / "jupyter" / "kernels" / "braggbook-radiobiology" / "kernel.json").is_file()
    made = [(path, path.stat().st_mtime_ns) for path in (tmp_path / "cache" / "kernels").glob("*/*")]
    assert project.call("kernel", "install", "radiobiology", env=env).code == 0
    again = [(path, path.stat().st_mtime_ns) for path in (tmp_path / "cache" / "kernels").glob("*/*")]
    assert again == made, "the second one is found made"
    answer = project.run("own", env=env)
    assert answer.code == 0, answer.err
    run = Path(answer.json["run_dir"])
    executed = (run / "executed.ipynb").read_text()
    assert "<env>" in executed
    assert project.call("show", "run", run, "--json").json["kernel"]["origin"] == "installed"
    verified = project.call("verify", run, "--json", env=env)
    assert (verified.code, verified.json["verdict"]) == (0, "identical")
    elsewhere = project.call("verify", run, "--json", env={**env, "BRAGGBOOK_CACHE": str(tmp_path / "other")})
    assert (elsewhere.code, elsewhere.json["verdict"]) == (3, "not verifiable")
    assert "no environment satisfies the kernel's lock" in elsewhere.json["reason"]


def test_a_kernel_of_another_language_declares_results_by_file(project: Project) -> None:
    """A kernel that speaks Jupyter's protocol but has no braggbook: results come from BRAGGBOOK_RESULTS."""
    code = (
        "import json, os\n"
        "with open(os.environ['BRAGGBOOK_RESULTS'], 'a') as stream:\n"
        "    for line in ({'kind': 'scalar', 'name': 'x', 'value': 2.5, 'unit': 'Gy', 'uncertainty': 0.1},\n"
        "                 {'kind': 'table', 'name': 't', 'columns': [{'name': 'n', 'type': 'integer', 'values': [1, 2]}]}):\n"
        "        stream.write(json.dumps(line) + '\\n')"
    )
    project.experiment("foreign", code=[code], results={"x": {"unit": "Gy"}, "t": {"kind": "table"}})
    answer = project.run("foreign")
    assert answer.code == 0, answer.err
    assert answer.json["results"]["x"] == {"kind": "scalar", "value": 2.5, "unit": "Gy", "uncertainty": 0.1}
    assert project.call("verify", answer.json["run_dir"]).out.strip().endswith("identical")
