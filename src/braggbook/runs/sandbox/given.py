"""What is handed in through the walls: one folder with the notebook, its kernel's card, the datasets and the software.

Everything in it may be read by anybody, because inside somebody is nobody; the folder that holds it is private. Files
are linked where they may be, and copied where only their owner may read them.
"""

from __future__ import annotations

import compileall
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from braggbook.datasets.catalogue import Dataset
from braggbook.datasets.fetch import fetch
from braggbook.files import storage, write_bytes, write_json
from braggbook.formats.dataset import CARD_NAME, read_card
from braggbook.kernels.catalogue import Kernel
from braggbook.kernels.install import KernelEnvironment
from braggbook.runs.sandbox import inside
from braggbook.runs.sandbox.walls import Limits
from braggbook.runs.wheel import Wheel, unpack_wheel
from braggbook.settings import Settings

_ANYBODY = 0o004
_FOLDER, _FILE = 0o755, 0o644


@dataclass(frozen=True)
class Given:
    """What is handed in.

    Attributes:
        folder: Seen inside as a whole.
        software: Where Braggbook's own code lies unpacked and compiled, seen inside at its own path.
    """

    folder: Path
    software: Path


@dataclass(frozen=True)
class Task:
    """One run inside.

    Attributes:
        notebook: The stranger's, as it is.
        datasets: The folder of each by its slug.
        logs: Whether they are wanted.
    """

    notebook: bytes
    datasets: Mapping[str, Path]
    kernel: Kernel
    environment: KernelEnvironment
    wheel: Wheel
    limits: Limits
    logs: bool


def hand_in(folder: Path, task: Task, *, settings: Settings) -> Given:
    """Fills a new folder with what a run inside needs.

    Raises:
        DatasetError: A dataset is not as its card says.
        StorageError: The disk refuses.
    """
    software = ready_software(task.wheel, cache=settings.cache)
    with storage(folder):
        folder.mkdir()
        (folder / inside.FONTS).mkdir()
        for path in (settings.cache / inside.FONTS).glob("fontlist-*.json"):
            shutil.copyfile(path, folder / inside.FONTS / path.name)
        shutil.copytree(task.kernel.folder, folder / "kernels" / task.kernel.slug)
    for slug, source in task.datasets.items():
        _place_dataset(Dataset(slug, read_card(source / CARD_NAME), source), folder / "datasets" / slug, settings)
    write_bytes(folder / inside.NOTEBOOK, task.notebook)
    write_bytes(folder / inside.WHEEL, task.wheel.data)
    write_json(folder / inside.TASK, _told(task, software, settings))
    with storage(folder):
        _open_up(folder)
    return Given(folder, software)


def _told(task: Task, software: Path, settings: Settings) -> dict[str, Any]:
    """Returns what the program inside is told, as JSON has it."""
    known = task.environment
    return {
        "environment": {**asdict(known), "python": str(known.python), "prefix": str(known.prefix)},
        "kernel": task.kernel.slug,
        "wheel": task.wheel.name,
        "software": str(software),
        "logs": task.logs,
        "wall_s": task.limits.wall_s,
        "address_mb": task.limits.address_mb,
        "start_timeout_s": settings.start_timeout_s,
        "output_limit_mb": settings.output_limit_mb,
    }


def ready_software(wheel: Wheel, *, cache: Path) -> Path:
    """Returns the folder of a wheel's code, compiled and readable by anybody; nothing inside can do that later."""
    folder = unpack_wheel(wheel.data, cache=cache)
    mark = folder.with_name(f"{folder.name}.ready")
    if not mark.is_file():
        compileall.compile_dir(folder, quiet=2)
        with storage(folder):
            _open_up(folder)
        write_bytes(mark, b"")
    return folder


def _place_dataset(dataset: Dataset, target: Path, settings: Settings) -> None:
    """Puts a dataset's card and the files that it names into a folder; each was compared with its hash."""
    paths = fetch(dataset, cache=settings.cache, mirror=settings.data_mirror)
    with storage(target):
        target.mkdir(parents=True)
        shutil.copyfile(dataset.folder / CARD_NAME, target / CARD_NAME)
        for name, source in paths.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            _place(source.resolve(), target / name)


def _place(source: Path, target: Path) -> None:
    if os.getuid() != 0 or source.stat().st_mode & _ANYBODY:
        try:
            os.link(source, target)
            return
        except OSError:  # on another file system, or somebody else's
            pass
    shutil.copyfile(source, target)


def _open_up(folder: Path) -> None:
    """Lets anybody read, where nobody reads inside: that is when root begins it, who links no private file."""
    if os.getuid() != 0:
        return
    for parent, _, names in os.walk(folder):
        os.chmod(parent, _FOLDER)
        for name in names:
            path = Path(parent) / name
            if not path.stat().st_mode & _ANYBODY:
                os.chmod(path, _FILE)
