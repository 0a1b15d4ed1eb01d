"""``braggbook binder write|check``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.text import Text

from braggbook.binder.check import check_binder
from braggbook.binder.files import FOLDER, binder_files, write_binder
from braggbook.binder.pins import read_binder
from braggbook.binder.requirements import is_checkout
from braggbook.binder.resolve import resolve_issues
from braggbook.binder.size import BUDGET_BYTES, Sizes, measure, size_issues
from braggbook.binder.wheel import PANEL, shared_files
from braggbook.cli.face import Face, table, verb


@click.group("binder")
def group() -> None:
    """Make and check what Binder builds this project from."""


@group.command("write")
@verb
def write(face: Face) -> None:
    """Write binder/ from the kernels' locks and what Braggbook itself needs.

    In a project of your own, uv resolves what the locks lack and keeps the pins that are there already; Braggbook comes
    as a wheel beside them. In a checkout of Braggbook, uv writes out the lock that it has. Nothing in the files says
    which index packages come from.
    """
    project = face.settings.project
    content = binder_files(project)
    changed = write_binder(project, content)
    pins = len(read_binder(project))
    rows = [("written" if name in changed else "as it was", f"{FOLDER}/{name}") for name in sorted(content)]
    data = {"folder": str(project / FOLDER), "written": sorted(changed), "pins": pins}
    if not is_checkout(project) and PANEL not in shared_files():
        face.say("note: this Braggbook was installed without JupyterLab's panel, so its wheel has none either")
    then = f"next: braggbook binder check, then git add {FOLDER} and commit"
    face.emit(data, table("", "", rows=list(rows)), Text(f"{pins} pins"), Text(then))


@group.command("check")
@click.option("--resolve", is_flag=True, help="Also ask an index whether the pins install (needs the network).")
@click.option(
    "--measure",
    "environment",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="ENV",
    help="Also measure an environment that was made of the pins.",
)
@verb
def check(face: Face, resolve: bool, environment: Path | None) -> None:
    """Check binder/, what notebooks need of it, and every launch link.

    Finds what repo2docker does not look for. Nothing is executed. Findings end with exit code 1.
    """
    project = face.settings.project
    issues = check_binder(project)
    sizes: Sizes | None = None
    if resolve:
        issues += resolve_issues(project)
    if environment is not None:
        sizes = measure(environment)
        issues += size_issues(sizes, read_binder(project))
    data: dict[str, Any] = {"findings": len(issues), "issues": [issue.as_json() for issue in issues]}
    lines: list[Any] = [Text(str(issue)) for issue in issues]
    if sizes is not None:
        data |= {"bytes": sizes.total, "budget_bytes": BUDGET_BYTES, "largest": dict(sizes.largest)}
        lines.append(Text(f"{sizes.total / 1e9:.2f} GB of {BUDGET_BYTES / 1e9:.1f} GB; the largest:"))
        lines.append(table("", "MB", rows=[(name, f"{size / 1e6:.0f}") for name, size in sizes.largest]))
    style = "bold red" if issues else "bold green"
    lines.append(Text(f"{len(issues)} findings" if issues else f"{FOLDER}/ checked, nothing found", style=style))
    if issues:
        written = any("braggbook binder write" in issue.wanted for issue in issues)
        lines.append(Text(f"next: braggbook binder {'write' if written else 'check, when these are mended'}"))
    face.emit(data, *lines)
    if issues:
        raise click.exceptions.Exit(1)


COMMANDS = {"binder": group}
