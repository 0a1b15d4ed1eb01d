"""A process of `benchmarks/engine.py` that executes notebooks with one engine and says what each execution cost.

    python engine_worker.py ENGINE

Reads requests, one JSON object a line, and answers each with one. The engine and all that it needs is imported before
the first request is read. It imports nothing of Braggbook's unless the engine is Braggbook's: it also runs in
ploomber-engine's own environment.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil
from engine_notebooks import MARK

Values = dict[str, float]


@dataclass(frozen=True)
class Request:
    """One execution.

    Attributes:
        notebook: A path; of an experiment for Braggbook's runs.
        output: Where the executed notebook goes.
    """

    notebook: str
    output: str
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Engine:
    """Something that executes notebooks.

    Attributes:
        execute: Does it; this alone is timed.
        values: Reads what the notebook computed from what ``execute`` returned.
        extra: What else is worth telling after an execution.
    """

    execute: Callable[[Request], Any]
    values: Callable[[Any], Values]
    extra: Callable[[], dict[str, Any]] = dict


def printed_values(text: str) -> Values:
    """Returns the values that a plain notebook's last cell printed."""
    line = next(line for line in text.splitlines() if line.startswith(MARK))
    values: Values = json.loads(line.removeprefix(MARK))
    return values


def values_of_file(path: str) -> Values:
    """Returns the values in an executed plain notebook, or those that an executed experiment declared."""
    outputs = [out for cell in nbformat.read(path, as_version=4).cells for out in cell.get("outputs", [])]
    declared = [out["data"] for out in outputs if "data" in out]
    found = [data[kind] for data in declared for kind in data if kind.startswith("application/vnd.braggbook.result")]
    if found:
        return {result["name"]: result["value"] for result in found}
    return printed_values("".join(out["text"] for out in outputs if out["output_type"] == "stream"))


def papermill_engine(**options: Any) -> Engine:
    """papermill from file to file; with no options given, as it comes."""
    import papermill  # noqa: PLC0415 - not there in ploomber-engine's environment

    def execute(request: Request) -> str:
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
            papermill.execute_notebook(request.notebook, request.output, parameters=request.parameters, **options)
        return request.output

    return Engine(execute, values_of_file)


def nbclient_engine() -> Engine:
    """nbclient, which knows no parameters: papermill's function puts the cell in."""
    from nbclient import NotebookClient  # noqa: PLC0415
    from papermill.iorw import load_notebook_node  # noqa: PLC0415
    from papermill.parameterize import parameterize_notebook  # noqa: PLC0415

    def execute(request: Request) -> str:
        node = parameterize_notebook(load_notebook_node(request.notebook), request.parameters)
        NotebookClient(node).execute()
        nbformat.write(node, request.output)
        return request.output

    return Engine(execute, values_of_file)


def ploomber_engine() -> Engine:
    """ploomber-engine: cells in this very process, one notebook after the other."""
    from ploomber_engine import execute_notebook  # noqa: PLC0415

    def execute(request: Request) -> str:
        execute_notebook(request.notebook, request.output, parameters=request.parameters, progress_bar=False)
        return request.output

    return Engine(execute, values_of_file)


def shell_engine() -> Engine:
    """What runs are executed with by ``--engine shell``, from file to file: papermill with a job."""
    import papermill  # noqa: PLC0415

    from braggbook.notebooks.source import read_notebook  # noqa: PLC0415
    from braggbook.runs.environment import kernel_variables  # noqa: PLC0415
    from braggbook.runs.execute import template_for  # noqa: PLC0415
    from braggbook.runs.folder import scratch  # noqa: PLC0415
    from braggbook.runs.job import Job, default_memory_limit_mb  # noqa: PLC0415
    from braggbook.runs.plan import plan_run  # noqa: PLC0415
    from braggbook.runs.wheel import unpack_wheel  # noqa: PLC0415
    from braggbook.settings import load_settings  # noqa: PLC0415

    settings, _ = load_settings()
    plans: dict[str, Any] = {}

    def execute(request: Request) -> str:
        name = Path(request.notebook).name
        if name not in plans:  # of the experiment of that name: it says which kernel, and what the template imports
            plans[name] = plan_run(read_notebook(settings.project / "notebooks" / name), {}, settings=settings)
        plan, python = plans[name], plans[name].environment.python
        software = unpack_wheel(plan.wheel.data, cache=settings.cache)
        with scratch() as private:
            variables = kernel_variables(
                private, cache=settings.cache, python=python, software=software, seed=0, caller=os.environ
            )
            job = Job(
                argv=plan.kernel.spec["argv"], python_path=python, language="python", folder=private, sockets=private,
                variables=variables, kernel_log=private / "kernel.log", start_timeout_s=settings.start_timeout_s,
                cell_timeout_s=settings.cell_timeout_s, memory_limit_mb=default_memory_limit_mb(),
                output_limit_bytes=settings.output_limit_mb << 20, template=template_for(plan, settings=settings),
                shell=True,
            )  # fmt: skip
            papermill.execute_notebook(
                request.notebook, request.output, parameters=request.parameters, engine_name="braggbook",
                kernel_name="python3", language="python", progress_bar=False, log_output=False,
                request_save_on_cell_execute=False, autosave_cell_every=0, job=job,
            )  # fmt: skip
        return request.output

    return Engine(execute, values_of_file)


def run_engine(engine: Any) -> Engine:
    """A whole run: planned, executed and recorded in a folder of its own."""
    from braggbook.notebooks.source import read_notebook  # noqa: PLC0415
    from braggbook.runs.folder import read_results  # noqa: PLC0415
    from braggbook.runs.plan import plan_run  # noqa: PLC0415
    from braggbook.runs.run import run  # noqa: PLC0415
    from braggbook.settings import load_settings  # noqa: PLC0415

    settings, _ = load_settings()

    def execute(request: Request) -> Path:
        plan = plan_run(read_notebook(Path(request.notebook)), request.parameters, settings=settings)
        done = run(plan, settings=settings, engine=engine)
        if done.record.verdict != "complete" or done.cached:
            raise RuntimeError(f"{done.record.verdict}: {done.record.failure}")
        return done.folder

    def values(folder: Path) -> Values:
        return {name: result.value for name, result in read_results(folder).results.items()}  # type: ignore[union-attr]

    return Engine(execute, values)


class Stopwatch:
    """Shares the time of a call among what is called below it: each moment belongs to the innermost that is watched."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._stack: list[str] = []
        self._since = 0.0

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts what happens meanwhile under a name."""
        self._turn()
        self._stack.append(name)
        try:
            yield
        finally:
            self._turn()
            self._stack.pop()

    def _turn(self) -> None:
        moment = time.perf_counter()
        if self._stack:
            self.seconds[self._stack[-1]] += moment - self._since
        self._since = moment

    def watch(self, owner: Any, name: str, stage: str) -> None:
        """Counts calls of ``owner.name`` under a stage.

        Raises:
            AttributeError: There is no such function any more; the table of stages has to follow the code.
        """
        real = getattr(owner, name)

        def watched(*args: Any, **options: Any) -> Any:
            with self.stage(stage):
                return real(*args, **options)

        setattr(owner, name, watched)


# Where the time of a run goes, in the order of happening: module, function, what it is called in the table.
STAGES = (
    ("braggbook.runs.plan", "plan_run", "plan: parameters, kernel, what is installed"),
    ("braggbook.runs.plan", "build_wheel", "plan: Braggbook's own code as a wheel"),
    ("braggbook.runs.run", "execute", "folders, variables and scrubber of the execution"),
    ("braggbook.runs.shell_client", "ShellProcess", "fork: the template forks"),
    ("braggbook.runs.shell_client:ShellClient", "_greeting", "fork: the child makes its shell"),
    ("braggbook.runs.shell_client:ShellClient", "papermill_execute_cells", "cells"),
    ("braggbook.runs.shell:ShellProcess", "leave", "the child ends"),
    ("papermill", "execute_notebook", "papermill's own"),
    ("braggbook.runs.execute", "read_results", "results read from the outputs"),
    ("braggbook.runs.execute:_Executor", "_execution", "traces of the machine taken out"),
    ("braggbook.runs.record", "_write_inputs", "record: inputs copied, the wheel among them"),
    ("braggbook.runs.record", "_write_outputs", "record: executed notebook, results, log"),
    ("braggbook.runs.record", "write_report", "record: report"),
    ("braggbook.runs.record", "write_crate", "record: crate"),
    ("braggbook.runs.record", "_manifest", "record: digests of all files"),
    ("braggbook.runs.run", "show", "record: put in its place"),
    ("os", "fsync", "record: waiting for the disk (fsync)"),
)


def stages_engine() -> Engine:
    """A whole run with the in-process engine, its time shared among the stages."""
    watch = Stopwatch()
    for place, name, stage in STAGES:
        module, _, owner = place.partition(":")
        found = importlib.import_module(module)
        watch.watch(getattr(found, owner) if owner else found, name, stage)
    whole = run_engine("shell")

    def execute(request: Request) -> Any:
        watch.seconds.clear()
        with watch.stage("all else: notebook read, locks, staging folders"):
            return whole.execute(request)

    return Engine(execute, whole.values, lambda: {"stages": dict(watch.seconds)})


def cells_of(request: Request) -> list[str]:
    """Returns the sources of a notebook's code cells, the given parameters behind the first."""
    cells = [cell.source for cell in nbformat.read(request.notebook, as_version=4).cells if cell.cell_type == "code"]
    return [cells[0], "\n".join(f"{k} = {v!r}" for k, v in request.parameters.items()), *cells[1:]]


def run_cells(cells: list[str]) -> str:
    """Runs cells as they are; shows the last value and draws the figures of each as a notebook would.

    Returns:
        What they printed.
    """
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        for source in cells:
            tree = ast.parse(source)
            shown = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, "cell", "exec"), names)
            if isinstance(shown, ast.Expr):
                _show(eval(compile(ast.Expression(shown.value), "cell", "eval"), names), quiet=source.endswith(";"))
            _draw()
    return printed.getvalue()


def _show(value: Any, *, quiet: bool) -> None:
    if value is not None and not quiet:
        repr(value)
        getattr(value, "_repr_html_", str)()


def _draw() -> None:
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    for number in pyplot.get_fignums() if pyplot else ():
        pyplot.figure(number).savefig(io.BytesIO(), format="png", bbox_inches="tight")
        pyplot.close(number)


def bare_engine() -> Engine:
    """The cells' own work in this process, which has everything imported: nothing can be faster."""
    return Engine(lambda request: run_cells(cells_of(request)), printed_values)


def bare_cold_engine() -> Engine:
    """The cells' own work in a new Python process."""

    def execute(request: Request) -> str:
        command = [sys.executable, __file__, "--cells", json.dumps(vars(request))]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout

    return Engine(execute, printed_values)


ENGINES: dict[str, Callable[[], Engine]] = {
    "papermill": papermill_engine,
    "nbclient": nbclient_engine,
    "ploomber": ploomber_engine,
    "warm": lambda: papermill_engine(engine_name="braggbook"),
    "provisioner": papermill_engine,  # the driver sets JUPYTER_DEFAULT_PROVISIONER_NAME
    "provisioner_modules": lambda: papermill_engine(kernel_name="benchmark"),  # a kernelspec that the driver wrote
    "shell": shell_engine,
    "run_kernel": lambda: run_engine("kernel"),
    "run_warm": lambda: run_engine("warm"),
    "run_shell": lambda: run_engine("shell"),
    "stages": stages_engine,
    "bare": bare_engine,
    "bare_cold": bare_cold_engine,
}


def tree_cpu_s() -> float:
    """Returns the CPU seconds of this process, of all that it started, and of all that these started.

    Of living descendants (a template among them) to a hundredth of a second, as Linux counts them; processes that have
    ended are in the sums of those that waited for them.
    """
    living = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            living += sum(process.cpu_times()[:4])  # user and system, own and of children that were waited for
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return living + sum(usage.ru_utime + usage.ru_stime for usage in used)


def answer(engine: Engine, request: Request) -> dict[str, Any]:
    """Executes a notebook; returns what it cost and computed."""
    cpu, began = tree_cpu_s(), time.perf_counter()
    outcome = engine.execute(request)
    seconds = time.perf_counter() - began
    cpu = tree_cpu_s() - cpu
    return {"seconds": seconds, "cpu_s": cpu, "values": engine.values(outcome), **engine.extra()}


def answer_together(engine: Engine, requests: list[Request]) -> dict[str, Any]:
    """Executes several notebooks at a time, each in a thread."""
    values: list[Values] = []
    threads = [
        threading.Thread(target=lambda r=request: values.append(engine.values(engine.execute(r))))
        for request in requests
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(values) < len(requests):
        raise RuntimeError("an execution failed; see the standard error")
    return {"values": values}


def serve(engine: Engine) -> None:
    """Answers requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what engines print must not come between the answers
    for line in sys.stdin:
        asked: Mapping[str, Any] = json.loads(line)
        try:
            if "together" in asked:
                found = answer_together(engine, [Request(**each) for each in asked["together"]])
            else:
                found = answer(engine, Request(**asked))
        except Exception as error:  # whatever an engine raises is the table's to show
            found = {"error": f"{type(error).__name__}: {error}"[:2000]}
        answers.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "--cells":
        print(run_cells(cells_of(Request(**json.loads(sys.argv[2])))))
    else:
        serve(ENGINES[sys.argv[1]]())
