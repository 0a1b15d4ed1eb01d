"""The processes of `benchmarks/engine.py`: one for each engine, and single commands; the folder that they work in."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import platformdirs
from engine_notebooks import PLAIN, SCIENTIFIC, make_project, write_kernelspec, write_plain
from engine_tables import Cost

from braggbook.runs.environment import fixed_variables

ROOT = Path(__file__).parents[1]
WORKER = Path(__file__).with_name("engine_worker.py")
PLOOMBER = "ploomber-engine==0.0.33"
LIBRARIES = ("numpy", "pandas", "xarray", "matplotlib", "ipykernel", "ipython", "nbclient", "nbformat", "psutil")
# Held for all engines as it is for runs: one thread, and one width of vectors, without which last digits differ.
HELD = ("_NUM_THREADS", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES")
EXPERIMENTS = ("run_kernel", "run_warm", "run_shell")


class Failed(Exception):
    """An engine did not execute a notebook."""


def say(text: str) -> None:
    """Tells the person who waits."""
    print(text, file=sys.stderr, flush=True)


class Worker:
    """A process that executes notebooks with one engine."""

    def __init__(self, engine: str, *, python: str, environment: Mapping[str, str], folder: Path) -> None:
        self.engine = engine
        folder = folder / engine
        folder.mkdir(parents=True)
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [python, str(WORKER), engine.partition(":")[0]],
            env={**environment, "BRAGGBOOK_RUNS": str(folder / "runs")},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, cwd=folder,
        )  # fmt: skip
        self.output = str(folder / "executed.ipynb")

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def send(self, asked: Mapping[str, Any]) -> None:
        """Asks for something; the answer is read by :meth:`receive`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """Waits for the answer.

        Raises:
            Failed: The engine raised, or its process ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found: dict[str, Any] = json.loads(line) if line else {"error": "its process ended"}
        if "error" in found:
            raise Failed(f"{self.engine}: {found['error']}")
        return found

    def request(self, notebook: Path, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what one execution is asked for with."""
        return {"notebook": str(notebook), "output": self.output, "parameters": dict(parameters)}

    def ask(self, notebook: Path, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Has a notebook executed."""
        self.send(self.request(notebook, parameters))
        return self.receive()

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()


class Bench:
    """The folder, notebooks and processes of one benchmark."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = make_project(folder / "project", ROOT / "kernels")
        self.plain = {slug: write_plain(source, folder / "plain") for slug, source in PLAIN.items()}
        write_kernelspec(folder / "jupyter", "benchmark", SCIENTIFIC.libraries)
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        held = {name: value for name, value in fixed_variables(seed=0).items() if name.endswith(HELD)}
        self.environment = {
            **kept, **held, "JUPYTER_PATH": str(folder / "jupyter"), "IPYTHONDIR": str(folder / "ipython"),
            "BRAGGBOOK_PROJECT": str(self.project), "BRAGGBOOK_CACHE": str(folder / "cache"),
        }  # fmt: skip
        self.missing: dict[str, str] = {}
        self._workers: dict[str, Worker] = {}

    def experiment(self, slug: str) -> Path:
        """Returns the path of an experiment notebook."""
        return self.project / "notebooks" / f"{slug}.ipynb"

    def notebook_for(self, engine: str, slug: str) -> Path:
        """Returns the notebook of that name in the form that an engine takes."""
        return self.experiment(slug) if engine in EXPERIMENTS else self.plain[slug]

    def worker(self, engine: str) -> Worker:
        """Returns the process of an engine, started now if there is none; ``name:2`` is a second one.

        Raises:
            Failed: There is no environment for it.
        """
        if engine not in self._workers:
            python, more = sys.executable, {}
            if engine == "ploomber":
                python, more = str(ploomber_python()), {"PLOOMBER_STATS_ENABLED": "false"}
            elif engine == "provisioner":
                more = {"JUPYTER_DEFAULT_PROVISIONER_NAME": "braggbook"}
            environment = {**self.environment, **more}
            self._workers[engine] = Worker(engine, python=python, environment=environment, folder=self.folder / "work")
        return self._workers[engine]

    def command(self, *words: str, runs: Path, **more: str) -> tuple[Cost, str]:
        """Runs ``python -m ...`` in the project; returns its cost and what it printed.

        Raises:
            Failed: It did not end well.
        """
        environment = {**self.environment, "BRAGGBOOK_RUNS": str(runs), **more}
        before, began = _children_cpu_s(), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", *words],
            env=environment,
            cwd=self.project,
            capture_output=True,
            text=True,
            check=False,
        )
        cost = Cost(time.perf_counter() - began, _children_cpu_s() - before)
        if done.returncode:
            raise Failed(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr[-2000:]}{done.stdout[-2000:]}")
        return cost, done.stdout

    def close(self) -> None:
        """Ends all processes."""
        for worker in self._workers.values():
            worker.close()


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextlib.contextmanager
def bench() -> Iterator[Bench]:
    """Makes the benchmark's folder and removes it afterwards."""
    with tempfile.TemporaryDirectory(prefix="bb-bench-", ignore_cleanup_errors=True) as folder:
        made = Bench(Path(folder))
        try:
            yield made
        finally:
            made.close()


def ploomber_python() -> Path:
    """Returns the Python of ploomber-engine's own environment, made now if it is not there.

    Raises:
        Failed: It cannot be installed.
    """
    same = [f"{name}=={version(name)}" for name in LIBRARIES]
    name = re.sub(r"\W+", "-", f"{PLOOMBER}-py{platform.python_version()}-" + "-".join(map(version, LIBRARIES)))
    folder = platformdirs.user_cache_path("braggbook") / "benchmarks" / name
    if not (folder / "complete").is_file():
        say("installing ploomber-engine into an environment of its own")
        shutil.rmtree(folder, ignore_errors=True)
        _uv("venv", "--quiet", "--python", sys.executable, str(folder))
        _uv("pip", "install", "--quiet", "--compile-bytecode", "--python", f"{folder}/bin/python", PLOOMBER, *same)
        (folder / "complete").touch()
    return folder / "bin" / "python"


def _uv(*words: str) -> None:
    try:
        done = subprocess.run(["uv", *words], capture_output=True, text=True, check=False, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"uv: {error}") from None
    if done.returncode:
        raise Failed(f"uv {words[0]}: {done.stderr.strip().splitlines()[-1:]}")
