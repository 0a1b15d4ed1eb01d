"""Executing a plan through papermill, and saying truthfully how it ended."""

from __future__ import annotations

import copy
import datetime
import logging
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError
from papermill.execute import ERROR_MARKER_TAG

from braggbook.datasets.catalogue import FOLDER as DATASETS
from braggbook.errors import Interrupted
from braggbook.files import storage
from braggbook.formats.dataset import CARD_NAME
from braggbook.formats.result import RESULTS_VARIABLE, Result
from braggbook.formats.run import CellRecord, Engine, Failure, Verdict
from braggbook.kernels.warm import TEMPLATES, Template, can_fork
from braggbook.notebooks.decode import check_results, read_results
from braggbook.notebooks.doi import DOI_VARIABLE
from braggbook.notebooks.imports import imported_modules
from braggbook.notebooks.source import INJECTED_TAG
from braggbook.progress import Progress, Silent
from braggbook.runs.environment import kernel_variables, template_variables
from braggbook.runs.folder import scratch
from braggbook.runs.job import Cell, Job, default_memory_limit_mb
from braggbook.runs.plan import RunPlan
from braggbook.runs.scrub import Scrubber, make_scrubber
from braggbook.runs.shared import CannotShare, SharedCells, shared_cells
from braggbook.runs.wheel import unpack_wheel
from braggbook.settings import Settings

ENGINE = "braggbook"
WRITTEN = "files"  # the notebook's working directory: what it writes there is kept with the run
_LOG_TAIL_BYTES = 20_000
_PACKAGE = Path(__file__).parents[1]  # where a kernel's process is started from


@dataclass
class Execution:
    """What came of executing a plan; every text in it is scrubbed."""

    node: Any
    verdict: Verdict
    failure: Failure | None
    cells: list[CellRecord]
    results: dict[str, Result]
    started: str
    ended: str
    determinism: dict[str, str]
    cell_timeout_s: float
    memory_limit_mb: int
    scrubber: Scrubber
    kernel_log: str = ""
    dropped_bytes: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    engine: Engine = "kernel"
    shared_cells: int = 0
    lost: bool = False  # the template of its kernel died, which is no fault of the notebook's


def execute(
    plan: RunPlan,
    folder: Path,
    *,
    settings: Settings,
    progress: Progress | None = None,
    changed: bool = False,
    engine: Engine = "kernel",
    shared: SharedCells | None = None,
) -> Execution:
    """Executes a plan in ``folder``, where its datasets are laid out and its notebook may write.

    Args:
        plan: What to execute.
        folder: An empty folder of this execution's own; gets ``datasets/`` and ``files/``.
        settings: Limits and places.
        progress: Told of every cell.
        changed: Do not refuse datasets whose hash differs; the caller has reported the difference.
        engine: A kernel of its own, a forked one, or a forked shell; where a process cannot be forked, a kernel.
        shared: Cells that have been executed for many runs; a shell goes on from there.

    Returns:
        How it ended; a notebook that fails, hangs or kills its kernel is no exception here.

    Raises:
        StorageError: The disk refuses.
    """
    lay_out_datasets(plan, folder)
    with storage(folder):
        (folder / WRITTEN).mkdir()
    with scratch() as private:
        executor = _Executor(plan, folder, private, settings, progress or Silent(), changed=changed, shared=shared)
        return executor.run(engine if can_fork() else "kernel")


@contextmanager
def share_cells(
    plan: RunPlan, *, count: int, fixed: Mapping[str, Any], swept: Collection[str], settings: Settings
) -> Iterator[SharedCells]:
    """Executes the first cells of a notebook once, for many runs to go on from.

    Args:
        plan: Of any of these runs.
        count: How many cells they share (:func:`braggbook.notebooks.reach.shared_prefix`).
        fixed: Parameters that have one value, other than their default, in all runs.
        swept: Names of the others.
        settings: Limits and places.

    Raises:
        CannotShare: A cell fails, or leaves behind what a fork does not have.
    """
    with scratch() as private:
        folder = private / "shared"
        folder.mkdir()
        lay_out_datasets(plan, folder)
        (folder / WRITTEN).mkdir()
        executor = _Executor(plan, folder, private, settings, Silent(), changed=False)
        cells = shared_cells(
            plan.notebook.node,
            count=count,
            fixed=fixed,
            swept=swept,
            template=template_for(plan, settings=settings),
            request=executor.request,
            places=executor.places,
            cell_timeout_s=settings.cell_timeout_s,
        )
        with cells as shared:
            if any((folder / WRITTEN).iterdir()):
                raise CannotShare("the shared cells write files")
            yield shared


def template_for(plan: RunPlan, *, settings: Settings) -> Template:
    """Returns the template of a plan's kernel, with the libraries that its card and its notebook name.

    Raises:
        KernelUnavailable: It does not start.
    """
    software = unpack_wheel(plan.wheel.data, cache=settings.cache)
    python = plan.environment.python
    variables = template_variables(cache=settings.cache, python=python, software=software, caller=os.environ)
    modules = [*plan.kernel.card.preload, *imported_modules(plan.notebook.node.cells)]
    return TEMPLATES.get(python=python, modules=modules, variables=variables)


def lay_out_datasets(plan: RunPlan, folder: Path) -> None:
    """Puts every dataset's card and files below ``folder/datasets``; links stand for what may not be copied."""
    with storage(folder):
        for dataset, files in plan.datasets:
            target = folder / DATASETS / dataset.slug
            target.mkdir(parents=True)
            shutil.copyfile(dataset.folder / CARD_NAME, target / CARD_NAME)
            for name, source in files.items():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                os.symlink(source.resolve(), target / name)


class _Executor:
    def __init__(
        self,
        plan: RunPlan,
        folder: Path,
        private: Path,
        settings: Settings,
        progress: Progress,
        *,
        changed: bool,
        shared: SharedCells | None = None,
    ) -> None:
        self._plan, self._folder, self._private, self._shared = plan, folder, private, shared
        self._settings, self._progress = settings, progress
        self._memory_mb = settings.memory_limit_mb or default_memory_limit_mb()
        self._events: list[dict[str, Any]] = []
        self._done = 0
        self._software = software = unpack_wheel(plan.wheel.data, cache=settings.cache)
        self._variables = kernel_variables(
            private,
            cache=settings.cache,
            python=plan.environment.python,
            software=software,
            seed=plan.seed,
            caller=os.environ,
        )
        self._fixed = {name: value for name, value in self._variables.items() if _is_fixed(name)}
        self._variables |= {
            "BRAGGBOOK_DATASETS": str(folder / DATASETS),
            RESULTS_VARIABLE: str(private / "results.jsonl"),
            **({"BRAGGBOOK_DATASETS_CHANGED": "reported"} if changed else {}),
            **({DOI_VARIABLE: plan.doi} if plan.doi else {}),
        }
        self.places = places = {
            "run": folder, "cache": settings.cache, "env": plan.environment.prefix, "project": settings.project,
            "tmp": private / "tmp", "scratch": private, "braggbook": software,
        }  # fmt: skip
        if settings.data_mirror is not None:  # data are read where they lie, and errors name them
            places["data"] = settings.data_mirror
        also = [{"braggbook": _PACKAGE}, *([] if shared is None else [shared.places])]
        vocabulary = "\n".join(cell.source for cell in plan.notebook.node.cells)
        self._scrubber = make_scrubber(places, *also, vocabulary=vocabulary)

    @property
    def request(self) -> dict[str, Any]:
        """What a template is asked with for this execution's process."""
        return {
            "cwd": str(self._folder / WRITTEN), "env": self._variables, "memory_limit_mb": self._memory_mb,
            "seed": self._plan.seed,
        }  # fmt: skip

    def run(self, engine: Engine) -> Execution:
        job, shared = self._job(), self._shared
        job.shell, job.shared = engine == "shell", shared
        if engine != "kernel":
            job.template = shared or template_for(self._plan, settings=self._settings)
        node = copy.deepcopy(self._plan.notebook.node)
        cells = [index for index, cell in enumerate(node.cells) if cell.cell_type == "code"]
        self._progress.start(self._plan.notebook.slug, len(cells))
        started = now()
        self._note("run started", notebook=self._plan.notebook.slug, id=self._plan.id)
        try:
            node, problem = self._papermill(node, job)
        finally:
            self._progress.stop()
        verdict, failure = self._verdict(job, problem, node)
        results, issues = read_results(node, self._private / "results.jsonl")
        if verdict == "complete":
            issues += check_results(results, self._plan.notebook.front.braggbook.results)
            if issues:
                verdict, failure = "failed", self._results_failure(issues)
        self._note("run ended", verdict=verdict)
        _tell_truth(node, job, failure)
        execution = self._execution(node, job, verdict, failure, results, started)
        execution.engine, execution.lost = engine, job.lost
        execution.shared_cells = 0 if shared is None else len(shared.outputs)
        return execution

    def _job(self) -> Job:
        kernel = self._plan.kernel
        return Job(
            argv=kernel.spec["argv"],
            python_path=self._plan.environment.python,
            language=kernel.card.language,
            folder=self._folder / WRITTEN,
            sockets=self._private,
            variables=self._variables,
            kernel_log=self._private / "kernel.log",
            start_timeout_s=self._settings.start_timeout_s,
            cell_timeout_s=self._settings.cell_timeout_s,
            memory_limit_mb=self._memory_mb,
            output_limit_bytes=self._settings.output_limit_mb << 20,
            seed=self._plan.seed,
            on_cell=self._on_cell,
        )

    def _papermill(self, node: Any, job: Job) -> tuple[Any, BaseException | None]:
        """Returns the executed notebook (as far as it came) and what stopped it."""
        defaults = self._plan.notebook.parameters.defaults
        injected = {name: value for name, value in self._plan.values.items() if value != defaults[name]}
        for name in ("papermill", "nbclient", "traitlets"):  # our own record says all that they would say
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            papermill.execute_notebook(
                node,
                None,
                parameters=injected,
                engine_name=ENGINE,
                kernel_name="python3",
                language=job.language,
                progress_bar=False,
                log_output=False,
                request_save_on_cell_execute=False,
                autosave_cell_every=0,
                job=job,
            )
        except PapermillExecutionError as error:
            # papermill takes a cell that is tagged to raise for one that must not
            return _without_markers(job.node), error if job.failed_cell is not None else None
        except (Exception, KeyboardInterrupt) as error:
            return job.node or node, error
        return job.node, None

    def _verdict(self, job: Job, problem: BaseException | None, node: Any) -> tuple[Verdict, Failure | None]:
        cell = job.failed_cell
        number = f"code cell {self._number(job, node)}" if cell is not None else "the notebook"
        error = job.failure or problem
        if isinstance(problem, KeyboardInterrupt | Interrupted):
            return "interrupted", Failure(kind="interrupt", message=f"stopped by a person in {number}", cell=cell)
        if isinstance(error, CellTimeoutError):
            message = f"{number} took longer than {job.cell_timeout_s:g} s"
            return "timed out", Failure(kind="timeout", message=message, cell=cell)
        if isinstance(error, DeadKernelError):
            return "killed", Failure(kind="kernel", message=f"the kernel died in {number}{_death(job)}", cell=cell)
        if not job.cells and error is not None:
            detail = self._scrubber.text(f"{type(error).__name__}: {error}")
            return "failed", Failure(kind="kernel start", message="the kernel did not start", error=detail)
        if cell is not None or error is not None:
            return "failed", Failure(
                kind="cell",
                message=f"{number} raised {self._raised(error)}",
                cell=cell,
                error=self._raised(error),
            )
        return "complete", None

    def _raised(self, error: BaseException | None) -> str:
        if isinstance(error, CellExecutionError | PapermillExecutionError):
            text = f"{error.ename}: {error.evalue}"
        else:
            text = "SystemExit" if error is None else f"{type(error).__name__}: {error}"
        return self._scrubber.text(text)[:2000]

    def _number(self, job: Job, node: Any) -> int:
        """Returns which code cell of the notebook's source failed, from 1; the cell that papermill adds is not one."""
        cells = enumerate(node.cells[: (job.failed_cell or 0) + 1])
        return sum(cell.cell_type == "code" and INJECTED_TAG not in cell.metadata.get("tags", []) for _, cell in cells)

    def _results_failure(self, issues: list[Any]) -> Failure:
        listed = [self._scrubber.tree(issue.as_json()) for issue in issues]
        return Failure(kind="results", message="the results are not what the front matter declares", issues=listed)

    def _on_cell(self, index: int, cell: Cell) -> None:
        if cell.seconds is None:
            self._note("cell started", cell=index)
            self._progress.step(self._done, f"cell {index + 1}")
        else:
            self._done += cell.status == "complete"  # one that failed is where it ended
            self._note("cell ended", cell=index, status=cell.status, seconds=cell.seconds)
            self._progress.step(self._done)

    def _note(self, event: str, **details: Any) -> None:
        self._events.append({"time": now(), "event": event, **details})

    def _execution(
        self,
        node: Any,
        job: Job,
        verdict: Verdict,
        failure: Failure | None,
        results: dict[str, Result],
        started: str,
    ) -> Execution:
        scrub = self._scrubber
        for cell in node.cells:
            if "outputs" in cell:
                cell.outputs = [type(output)(scrub.tree(output)) for output in cell.outputs]
        node.metadata.pop("papermill", None)  # paths, and statuses that papermill got wrong
        indexes = [index for index, cell in enumerate(node.cells) if cell.cell_type == "code"]
        cells = [CellRecord(index=i, **vars(job.cells.get(i, Cell()))) for i in indexes]
        clean = {name: type(result).model_validate(scrub.tree(result.model_dump())) for name, result in results.items()}
        log = (
            job.kernel_log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace") if job.kernel_log.is_file() else ""
        )
        return Execution(
            node, verdict, failure, cells, clean, started, now(), self._fixed,
            self._settings.cell_timeout_s, self._memory_mb, scrub,
            scrub.text(log), job.dropped_bytes, scrub.tree(self._events),
        )  # fmt: skip


def _is_fixed(name: str) -> bool:
    private = {
        "HOME",
        "IPYTHONDIR",
        "TMPDIR",
        "PATH",
        "PYTHONPATH",
        "USER",
        "LOGNAME",
        "MATPLOTLIBRC",
        "MPLCONFIGDIR",
    }
    return name not in private and not name.startswith(("JUPYTER_", "SSL_", "LD_", "DYLD_", "REQUESTS_", "COVERAGE_"))


def _without_markers(node: Any) -> Any:
    # papermill puts two cells into a failed notebook; our record says where it failed, and cell numbers must hold
    node.cells = [cell for cell in node.cells if ERROR_MARKER_TAG not in cell.metadata.get("tags", [])]
    return node


def _death(job: Job) -> str:
    if job.exit_code is None:
        return ""
    if job.exit_code < 0:
        return f" (signal {-job.exit_code}; memory limit {job.memory_limit_mb} MB)"
    return f" (exit code {job.exit_code})"


def _tell_truth(node: Any, job: Job, failure: Failure | None) -> None:
    """Writes each cell's true end into the notebook's own metadata."""
    for index, cell in enumerate(node.cells):
        cell.metadata.pop("papermill", None)
        if cell.cell_type == "code":
            record = job.cells.get(index, Cell())
            cell.metadata["braggbook"] = {"status": record.status, "seconds": record.seconds}
    if failure is not None:
        node.metadata["braggbook"] = {"failure": failure.message}


def now() -> str:
    """Returns the present moment in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
