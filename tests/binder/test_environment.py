"""A fresh environment, made only of binder/ and in its order: within its budget, and every notebook runs in it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from braggbook.binder.files import FOLDER, POST_BUILD, REQUIREMENTS, START, fixed_files, write_binder
from braggbook.binder.imports import notebook_files
from braggbook.binder.pins import read_binder
from braggbook.binder.size import BUDGET_BYTES, measure, size_issues
from braggbook.kernels.lock import uv_command
from braggbook.testing.experiments import make_project, write_experiment

pytestmark = pytest.mark.full

AT_ONCE = 2  # notebooks
RUNNER = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import nbformat
from nbclient import NotebookClient

def execute(path):
    node = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(Path(path).parent)}}
    try:
        NotebookClient(node, timeout=600, kernel_name="python3", resources=resources).execute()
    except Exception as error:
        return path, str(error)[-1500:]
    return path, ""

with ThreadPoolExecutor(int(sys.argv[1])) as pool:
    print(json.dumps({path: said for path, said in pool.map(execute, sys.argv[2:]) if said}))
"""


@pytest.fixture(scope="module")
def environment(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment made as repo2docker does it; uv takes pip's place, with the same file and the same hashes."""
    place = tmp_path_factory.mktemp("environment") / "env"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, timeout=300)
    install = [*uv_command(), "pip", "install", "--quiet", "--require-hashes", "--compile-bytecode"]
    install += ["--python", str(place / "bin" / "python"), "-r", str(clone / FOLDER / REQUIREMENTS)]
    subprocess.run(install, check=True, timeout=1200, cwd=clone.parent)
    done = called(place, clone, [str(clone / FOLDER / POST_BUILD)])
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return place


def called(environment: Path, clone: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Calls a program as a session has it: that environment first, and nothing of this process's own."""
    kept = (
        "BRAGGBOOK_DATA_MIRROR",
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "npm_config_registry",
    )
    own = {name: os.environ[name] for name in kept if name in os.environ}
    home = clone.parent / "home"
    home.mkdir(exist_ok=True)
    variables = {"PATH": f"{environment / 'bin'}:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", **own}
    return subprocess.run(words, cwd=clone, env=variables, capture_output=True, text=True, check=False, timeout=1800)


def test_it_is_what_is_pinned_and_within_its_budget(environment: Path, clone: Path) -> None:
    sizes = measure(environment)
    assert list(map(str, size_issues(sizes, read_binder(clone)))) == []
    assert 0.3e9 < sizes.total < BUDGET_BYTES, "much less would be no environment"


def test_the_package_is_installed_and_not_read_from_the_clone(environment: Path, clone: Path) -> None:
    code = "import braggbook, sys; print(braggbook.__file__)"
    done = called(environment, clone, [str(environment / "bin" / "python"), "-c", code])
    assert done.stdout.startswith(str(environment)), done.stderr
    listed = called(environment, clone, [str(environment / "bin" / "jupyter"), "kernelspec", "list", "--json"])
    assert "python3" in json.loads(listed.stdout)["kernelspecs"]
    overrides = environment / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    assert json.loads(overrides.read_text())["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"


def test_the_linter_finds_nothing_there(environment: Path, clone: Path) -> None:
    words = ["-m", "braggbook", "binder", "check", "--measure", str(environment), "--json"]
    done = called(environment, clone, [str(environment / "bin" / "python"), *words])
    assert (done.returncode, json.loads(done.stdout)["issues"]) == (0, []), done.stderr


def test_every_notebook_runs(environment: Path, clone: Path, mirror: Path) -> None:
    paths = [str(path) for path in notebook_files(clone) if path.is_relative_to(clone / "notebooks")]
    assert len(paths) >= 12
    start = str(clone / FOLDER / START)  # every session begins through it
    python = str(environment / "bin" / "python")
    done = called(environment, clone, [start, python, "-c", RUNNER, str(AT_ONCE), *paths])
    assert done.returncode == 0, done.stderr[-2000:]
    failed = json.loads(done.stdout.strip().splitlines()[-1])
    assert failed == {}, "\n\n".join(f"{path}\n{said}" for path, said in failed.items())


def test_a_project_of_one_s_own_is_built_and_opened_there(environment: Path, tmp_path: Path) -> None:
    """With Braggbook as a wheel; the kernel's pins are of the same resolution, so the environment holds them."""
    folder = make_project(tmp_path / "own")
    code = "import braggbook as bb\nbb.result('x', factor / 2, unit='1')"
    write_experiment(folder / "notebooks", "half", code=[code], parameters="factor: float = 2.0")
    write_binder(folder, fixed_files(folder))
    done = called(environment, folder, [str(folder / FOLDER / POST_BUILD)])
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    listed = called(environment, folder, [str(environment / "bin" / "jupyter"), "server", "extension", "list"])
    assert re.search(r"braggbook\S* .*OK", re.sub(r"\x1b\[[\d;]*m", "", listed.stdout + listed.stderr))
    words = [str(environment / "bin" / "python"), "-m", "braggbook", "run", "half", "--json"]
    ran = called(environment, folder, words)
    assert json.loads(ran.stdout)["verdict"] == "complete", ran.stderr
