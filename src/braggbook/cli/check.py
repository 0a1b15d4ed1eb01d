"""``braggbook check``: everything that can be known without running."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from braggbook.binder.check import check_binder, has_binder
from braggbook.binder.files import FOLDER as BINDER
from braggbook.cli.face import Face, table, verb
from braggbook.datasets.catalogue import FOLDER as DATASETS
from braggbook.datasets.catalogue import find_beside, open_dataset
from braggbook.datasets.verify import verify_dataset
from braggbook.errors import BraggbookError, Issue, UnknownName, closest
from braggbook.formats.common import CHALLENGE_NAME
from braggbook.formats.dataset import CARD_NAME
from braggbook.kernels.catalogue import CARD, find_kernel, kernel_folders, read_kernel
from braggbook.kernels.lock import lock_findings
from braggbook.notebooks.catalogue import notebook_paths
from braggbook.notebooks.check import check_notebook
from braggbook.notebooks.source import read_notebook, slug_of
from braggbook.settings import Settings

Thing = tuple[str, str, Path]  # kind, slug, place


@click.command("check")
@click.argument("path", required=False)
@verb
def command(face: Face, path: str | None) -> None:
    """Check the notebook, dataset, kernel or challenge at PATH (or by that name), or the whole project.

    Front matter, parameters, stripped outputs, unseeded random numbers, datasets' cards, hashes and every row,
    whether kernels' locks belong to their requirements, designs of challenges with all that belongs to them, and what
    Binder builds from.
    Nothing is executed. Findings end with exit code 1.
    """
    things = list(_things(face.settings))
    if path is not None:
        things = _named(path, things)
    rows = []
    for kind, slug, place in things:
        issues = _CHECKS[kind](place, face.settings)
        rows.append({"kind": kind, "name": slug, "ok": not issues, "issues": [issue.as_json() for issue in issues]})
    _show(face, rows)
    if not all(row["ok"] for row in rows):
        raise click.exceptions.Exit(1)


def _things(settings: Settings) -> Iterator[Thing]:
    project = settings.project
    yield from (("kernel", slug, folder) for slug, folder in kernel_folders(project).items())
    yield from (
        ("dataset", card.parent.name, card.parent) for card in sorted((project / DATASETS).glob(f"*/{CARD_NAME}"))
    )
    yield from (("notebook", slug, path) for slug, path in notebook_paths(project).items())
    yield from (
        ("challenge", card.parent.name, card.parent) for card in sorted(project.glob(f"challenges/*/{CHALLENGE_NAME}"))
    )
    if has_binder(project):
        yield "binder", BINDER, project / BINDER


def _named(name: str, things: list[Thing]) -> list[Thing]:
    path = Path(name).resolve()
    chosen = [
        thing for thing in things if thing[1] == name or path in (thing[2].resolve(), *thing[2].resolve().parents)
    ]
    if not chosen and path.suffix == ".ipynb":
        return [("notebook", slug_of(path), path)]
    if not chosen and (path / CARD_NAME).is_file():
        return [("dataset", path.name, path)]
    if not chosen and (path / CHALLENGE_NAME).is_file():
        return [("challenge", path.name, path)]
    if not chosen and (path / CARD).is_file():
        return [("kernel", path.name, path)]
    if not chosen:
        known = [thing[1] for thing in things]
        raise UnknownName(f"nothing to check at {name!r}", wanted=closest(name, known), next_command="braggbook check")
    return chosen


def _show(face: Face, rows: list[dict[str, Any]]) -> None:
    lines: list[Any] = [
        table(
            "",
            "kind",
            "name",
            rows=[("ok" if row["ok"] else "BAD", row["kind"], row["name"]) for row in rows],
        )
    ]
    for row in rows:
        lines += [Text(f"{row['kind']} {row['name']}: {Issue(**issue)}") for issue in row["issues"]]
    found = sum(len(row["issues"]) for row in rows)
    lines.append(
        Text(
            f"{found} findings in {len(rows)} things" if found else f"{len(rows)} things checked, nothing found",
            style="bold red" if found else "bold green",
        )
    )
    face.emit({"checked": rows, "findings": found}, *lines)


def _issues(error: BraggbookError) -> list[Issue]:
    return list(error.issues) or [Issue(error.what, error.where, error.wanted, error.got)]


def _check_notebook(path: Path, settings: Settings) -> list[Issue]:
    try:
        front = read_notebook(path).front.braggbook
    except BraggbookError:
        return check_notebook(path)
    issues, language = [], "python"
    for reference in front.datasets:
        try:
            find_beside(reference, beside=path.parent, project=settings.project)
        except BraggbookError as error:
            issues.append(Issue(error.what, f"braggbook.datasets {reference}", error.wanted, error.got))
    try:
        language = find_kernel(front.kernel, project=settings.project).card.language
    except BraggbookError as error:
        issues.append(Issue(error.what, "braggbook.kernel", error.wanted, error.got))
    return [*check_notebook(path, language=language), *issues]


def _check_dataset(folder: Path, settings: Settings) -> list[Issue]:
    try:
        return list(
            verify_dataset(open_dataset(folder), cache=settings.cache, mirror=settings.data_mirror, download=False)
        )
    except BraggbookError as error:
        return _issues(error)


def _check_kernel(folder: Path, settings: Settings) -> list[Issue]:
    try:
        return lock_findings(read_kernel(folder), project=settings.project)
    except BraggbookError as error:
        return _issues(error)


def _check_challenge(folder: Path, settings: Settings) -> list[Issue]:
    from braggbook.challenges.check import check_challenge  # noqa: PLC0415 - a project without one need not wait for it
    from braggbook.challenges.design import open_challenge  # noqa: PLC0415 - the same

    try:
        return check_challenge(open_challenge(folder), project=settings.project)
    except BraggbookError as error:
        return _issues(error)


def _check_binder(folder: Path, settings: Settings) -> list[Issue]:  # noqa: ARG001 - as the others are called
    return check_binder(settings.project)


_CHECKS = {
    "notebook": _check_notebook,
    "dataset": _check_dataset,
    "kernel": _check_kernel,
    "challenge": _check_challenge,
    "binder": _check_binder,
}
COMMANDS = {"check": command}
