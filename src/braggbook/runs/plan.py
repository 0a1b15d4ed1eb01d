"""Everything that a run will use, gathered and checked before a kernel starts; its digest is the run's id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from braggbook.datasets.catalogue import Dataset, find_beside
from braggbook.datasets.fetch import fetch
from braggbook.errors import BraggbookError, InputError, Issue, KernelUnavailable
from braggbook.formats.run import Identity
from braggbook.kernels.catalogue import Kernel, find_kernel
from braggbook.kernels.install import KernelEnvironment, choose_environment
from braggbook.kernels.lock import require_locked
from braggbook.notebooks.reach import needs_a_kernel
from braggbook.notebooks.source import Notebook
from braggbook.progress import Progress, Silent
from braggbook.runs.wheel import Wheel, build_wheel
from braggbook.settings import Settings


@dataclass(frozen=True)
class RunPlan:
    """One execution to come: its notebook, values, data, kernel and software."""

    notebook: Notebook
    values: dict[str, Any]
    datasets: tuple[tuple[Dataset, dict[str, Path]], ...]
    kernel: Kernel
    environment: KernelEnvironment
    wheel: Wheel
    seed: int
    doi: str | None = None  # reserved for the run before it; no part of its identity

    @cached_property
    def identity(self) -> Identity:
        """What the id is the digest of."""
        return Identity(
            notebook=self.notebook.identity,
            parameters=self.values,
            datasets={dataset.reference: dataset.digest for dataset, _ in self.datasets},
            kernel_lock=self.kernel.lock_sha256,
            python=self.environment.python_version,
            braggbook=self.wheel.sha256,
            seed=self.seed,
        )

    @property
    def id(self) -> str:
        """The run's id."""
        return self.identity.run_id

    def at(self, values: Mapping[str, Any]) -> RunPlan:
        """Returns the same execution with other values of some parameters, which have been checked."""
        other = replace(self, values={**self.values, **values})
        other.__dict__["identity"] = self.identity.model_copy(update={"parameters": other.values})
        return other


def plan_run(
    notebook: Notebook,
    given: Mapping[str, Any],
    *,
    settings: Settings,
    seed: int = 0,
    progress: Progress | None = None,
) -> RunPlan:
    """Checks parameters, fetches datasets and finds the kernel's environment.

    Raises:
        ParameterError: Values that the notebook does not accept.
        InputError: Datasets or the kernel are not usable; everything found is listed.
        LockDrift, KernelUnavailable: The kernel cannot be used as it is.
        DatasetMissing, HashMismatch, NetworkError: A dataset's file cannot be had.
    """
    values = notebook.parameters.resolve(given, where=notebook.path.name)
    kernel = find_kernel(notebook.front.braggbook.kernel, project=settings.project)
    require_locked(kernel, project=settings.project)
    found = _find_datasets(notebook, settings.project)
    environment = choose_environment(kernel, cache=settings.cache)
    progress = progress or Silent()
    fetched = tuple(
        (dataset, fetch(dataset, cache=settings.cache, mirror=settings.data_mirror, progress=progress))
        for dataset in found
    )
    return RunPlan(notebook, values, fetched, kernel, environment, build_wheel(), seed)


def require_no_kernel(notebook: Notebook) -> None:
    """Checks that a notebook can run in a forked shell.

    Raises:
        KernelUnavailable: It needs what only a real kernel has; every use is listed.
    """
    if issues := needs_a_kernel(notebook.node.cells):
        raise KernelUnavailable(
            "the notebook needs a real kernel",
            where=notebook.path.name,
            issues=issues,
            next_command="the same with --engine warm",
        )


def _find_datasets(notebook: Notebook, project: Path) -> list[Dataset]:
    found: list[Dataset] = []
    problems: list[BraggbookError] = []
    for reference in notebook.front.braggbook.datasets:
        try:
            found.append(find_beside(reference, beside=notebook.path.parent, project=project))
        except BraggbookError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        issues = [Issue(error.what, error.where, error.wanted, error.got) for error in problems]
        raise InputError("datasets that cannot be used", where=notebook.path.name, issues=issues)
    return found
