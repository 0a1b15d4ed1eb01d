"""One execution as papermill's engine is given it: what it needs, and what it finds out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from braggbook.formats.run import CellStatus
from braggbook.kernels.warm import Forks

if TYPE_CHECKING:
    from braggbook.runs.shared import SharedCells


@dataclass
class Cell:
    """How one cell ended, and how long it took."""

    status: CellStatus = "not run"
    seconds: float | None = None


@dataclass
class Job:
    """What one execution needs, and what it finds out.

    Attributes:
        argv: The kernel's command; ``python`` stands for ``python_path``.
        folder: The kernel's working directory.
        sockets: A short private path for the connection's sockets.
        template: What the kernel's process is forked from; None starts it cold.
        shell: Run the cells in a forked shell, without a kernel.
        shared: Cells that have been executed for many runs; the shell goes on from there.
        cells: By index in the notebook; filled while it runs.
        lost: The template died, which is no fault of the notebook's.
    """

    argv: list[str]
    python_path: Path
    language: str
    folder: Path
    sockets: Path
    variables: dict[str, str]
    kernel_log: Path
    start_timeout_s: float
    cell_timeout_s: float
    memory_limit_mb: int
    output_limit_bytes: int
    seed: int = 0
    template: Forks | None = None
    shell: bool = False
    shared: SharedCells | None = None
    on_cell: Callable[[int, Cell], None] = lambda index, cell: None
    cells: dict[int, Cell] = field(default_factory=dict)
    node: Any = None  # the notebook that papermill works on, which is lost when it raises
    failure: BaseException | None = None
    failed_cell: int | None = None
    exit_code: int | None = None
    dropped_bytes: int = 0
    lost: bool = False


_LEAST_MB = 2048  # address space that Python needs to import NumPy, pandas and matplotlib at all
_GROUPS, _GROUP_FOLDER = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")  # Linux, cgroups(7)


def default_memory_limit_mb() -> int:
    """Returns nine tenths of the memory here, so that a notebook that eats it all fails and not the machine."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # not a system that says it
        total = 8 << 30
    for limit in _group_limits():
        with suppress(OSError, ValueError):
            total = min(total, int(limit.read_text(encoding="ascii")))
    return max(_LEAST_MB, int(total * 0.9) >> 20)


def _group_limits() -> Iterator[Path]:
    """Gives the files that say how much memory a container or a batch job has, versions 2 and 1."""
    yield _GROUP_FOLDER / "memory.max"
    yield _GROUP_FOLDER / "memory" / "memory.limit_in_bytes"
    try:
        lines = _GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds not in ("", "memory"):
            continue
        root, name = (_GROUP_FOLDER, "memory.max") if not kinds else (_GROUP_FOLDER / kinds, "memory.limit_in_bytes")
        group = root / path.lstrip("/")
        yield from (folder / name for folder in (group, *group.parents) if folder.is_relative_to(root))
