"""``braggbook new``."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from braggbook.cli.face import Face, verb
from braggbook.datasets.build import new_dataset
from braggbook.errors import InputError
from braggbook.formats.common import SLUG
from braggbook.kernels.catalogue import kernel_folders
from braggbook.kernels.scaffold import new_kernel
from braggbook.notebooks.scaffold import new_notebook_file
from braggbook.settings import Settings

_FIRST_KERNEL = "radiobiology"


@click.command("new")
@click.argument("kind", type=click.Choice(["notebook", "dataset", "kernel", "challenge"]))
@click.argument("slug")
@verb
def command(face: Face, kind: str, slug: str) -> None:
    """Begin a KIND named SLUG that works as it is. Nothing that exists is overwritten."""
    if SLUG.fullmatch(slug) is None:
        raise InputError("not a slug", wanted="small letters, digits and _, beginning with a letter", got=slug)
    made = _MAKERS[kind](slug, face.settings)
    then = f"braggbook run {slug}" if kind == "notebook" else f"braggbook check {slug}"
    face.emit(
        {"kind": kind, "slug": slug, "paths": [str(path) for path in made]},
        *(Text(f"made  {path}") for path in made),
        Text(f"next: {then}"),
    )


def _notebook(slug: str, settings: Settings) -> list[Path]:
    kernels = sorted(kernel_folders(settings.project))
    made = [] if kernels else [new_kernel(_FIRST_KERNEL, project=settings.project)]
    kernel = _FIRST_KERNEL if made or _FIRST_KERNEL in kernels else kernels[0]
    return [*made, new_notebook_file(slug, project=settings.project, kernel=kernel)]


def _dataset(slug: str, settings: Settings) -> list[Path]:
    return [new_dataset(slug, project=settings.project).folder]


def _kernel(slug: str, settings: Settings) -> list[Path]:
    return [new_kernel(slug, project=settings.project)]


def _challenge(slug: str, settings: Settings) -> list[Path]:
    from braggbook.challenges.scaffold import new_challenge  # noqa: PLC0415 - no other kind needs challenges

    return [new_challenge(slug, project=settings.project).folder]


_MAKERS = {"notebook": _notebook, "dataset": _dataset, "kernel": _kernel, "challenge": _challenge}
COMMANDS = {"new": command}
