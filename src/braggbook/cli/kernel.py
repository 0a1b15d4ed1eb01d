"""``braggbook kernel lock|install|verify``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
from rich.text import Text

from braggbook.cli.face import Face, table, verb
from braggbook.errors import unknown_name
from braggbook.kernels.catalogue import Kernel, find_kernel, kernel_folders, read_kernel
from braggbook.kernels.install import choose_environment, install_kernel
from braggbook.kernels.lock import make_lock, read_pins, require_locked
from braggbook.runs.folder import RECORD, read_record
from braggbook.runs.record import KERNEL_FOLDER


@click.group("kernel")
def group() -> None:
    """Lock, install and verify the kernels that notebooks run in."""


@group.command("lock")
@click.argument("slug")
@verb
def lock(face: Face, slug: str) -> None:
    """Make SLUG's requirements.lock from its requirements.in, for every platform, with hashes (needs the network)."""
    folders = kernel_folders(face.settings.project)
    if slug not in folders:
        raise unknown_name("kernel", slug, folders, next_command=f"braggbook new kernel {slug}")
    path = make_lock(folders[slug], project=face.settings.project)
    pins = read_pins(path)
    face.emit({"kernel": slug, "lock": str(path), "pins": len(pins)}, Text(f"{len(pins)} pins in {path}"))


@group.command("install")
@click.argument("slug")
@click.option("--no-register", is_flag=True, help="Do not tell Jupyter about it.")
@verb
def install(face: Face, slug: str, no_register: bool) -> None:
    """Make SLUG's own environment from its lock and register it with Jupyter. SLUG may also be a run's
    folder, whose kernel is then not registered."""
    kernel, of_run = _kernel(face, slug)
    environment = install_kernel(kernel, cache=face.settings.cache, register=not (no_register or of_run))
    data = {
        "kernel": kernel.slug,
        "python": str(environment.python),
        "python_version": environment.python_version,
        "packages": len(environment.packages),
    }
    facts = f"{len(environment.packages)} packages, Python {environment.python_version}, in {environment.prefix}"
    face.emit(data, Text(f"{kernel.slug}: {facts}"))


def _kernel(face: Face, name: str) -> tuple[Kernel, bool]:
    """Returns a kernel of the project, or the one that a run's folder holds; and whether it is a run's."""
    if not (Path(name) / RECORD).is_file():
        return find_kernel(name, project=face.settings.project), False
    record = read_record(Path(name))
    return dataclasses.replace(read_kernel(Path(name) / KERNEL_FOLDER), slug=record.kernel.slug), True


@group.command("verify")
@click.argument("slug")
@verb
def verify(face: Face, slug: str) -> None:
    """Check that SLUG's lock belongs to its requirements and that an environment here satisfies it."""
    kernel = find_kernel(slug, project=face.settings.project)
    require_locked(kernel, project=face.settings.project)
    environment = choose_environment(kernel, cache=face.settings.cache)
    data = {
        "kernel": slug,
        "lock_sha256": kernel.lock_sha256,
        "environment": environment.origin,
        "python_version": environment.python_version,
    }
    face.emit(data, table("", "", rows=list(data.items())))


COMMANDS = {"kernel": group}
