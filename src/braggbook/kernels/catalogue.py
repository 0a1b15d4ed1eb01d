"""Which kernels a project has: every folder below ``kernels/`` with a card."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from braggbook.errors import InputError, Issue, unknown_name
from braggbook.files import sha256_file
from braggbook.formats.common import issues_from
from braggbook.formats.kernel import KernelCard

CARD, SPEC, REQUIREMENTS, LOCK = "kernel.toml", "kernel.json", "requirements.in", "requirements.lock"


@dataclass(frozen=True)
class Kernel:
    """A kernel of a project: its card, its Jupyter kernelspec and its folder."""

    slug: str
    folder: Path
    card: KernelCard
    spec: dict[str, Any]

    @property
    def lock_path(self) -> Path:
        """Where the lock lies."""
        return self.folder / LOCK

    @property
    def lock_sha256(self) -> str:
        """The digest that keys the kernel's environment."""
        return sha256_file(self.lock_path)


def kernel_folders(project: Path) -> dict[str, Path]:
    """Returns the folder of every kernel by its slug."""
    return {card.parent.name: card.parent for card in sorted((project / "kernels").glob(f"*/{CARD}"))}


def find_kernel(slug: str, *, project: Path) -> Kernel:
    """Reads a kernel of the project.

    Raises:
        UnknownName: The project has no such kernel.
        InputError: A file of it is missing or not usable.
    """
    folders = kernel_folders(project)
    if slug not in folders:
        raise unknown_name("kernel", slug, folders, next_command=f"braggbook new kernel {slug}")
    return read_kernel(folders[slug])


def read_kernel(folder: Path) -> Kernel:
    """Reads a kernel's folder; see :func:`find_kernel` for the errors."""
    missing = [name for name in (CARD, SPEC, REQUIREMENTS, LOCK) if not (folder / name).is_file()]
    if missing:
        issues = [Issue("missing", f"kernels/{folder.name}/{name}") for name in missing]
        raise InputError("not a kernel", issues=issues, next_command=f"braggbook kernel lock {folder.name}")
    try:
        card = KernelCard.model_validate(tomllib.loads((folder / CARD).read_text(encoding="utf-8")))
        spec = json.loads((folder / SPEC).read_text(encoding="utf-8"))
        if not isinstance(spec, dict) or not isinstance(spec.get("argv"), list):
            raise ValueError(f"{SPEC} has no argv")
    except ValidationError as error:
        where = f"kernels/{folder.name}/{CARD}"
        raise InputError("not a kernel's card", issues=issues_from(error, where=where, known=KernelCard)) from None
    except ValueError as error:
        raise InputError("not a kernel", where=f"kernels/{folder.name}", got=str(error)) from None
    return Kernel(folder.name, folder, card, spec)
