"""Everything that can be known of ``binder/`` without building an image. Findings are collected, none raised."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from braggbook.binder.apt import apt_issues
from braggbook.binder.files import FOLDER, HIDDEN
from braggbook.binder.imports import notebook_issues
from braggbook.binder.launch_links import launch_issues
from braggbook.binder.pins import lock_issues, pin_issues
from braggbook.binder.repository import remote_of
from braggbook.binder.scripts import script_issues
from braggbook.binder.structure import drift_issues, structure_issues
from braggbook.errors import BraggbookError, Issue

_CHECKS: tuple[Callable[[Path], Iterable[Issue]], ...] = (
    structure_issues,
    drift_issues,
    pin_issues,
    lock_issues,
    apt_issues,
    script_issues,
    notebook_issues,
)


def has_binder(project: Path) -> bool:
    """Returns whether there is anything to check."""
    return (project / FOLDER).is_dir() or (project / HIDDEN).is_dir()


def check_binder(project: Path) -> list[Issue]:
    """Returns every finding: structure, drift, pins, apt names, scripts, notebooks and launch links.

    Nothing is executed, and no network is needed. Whether the pins resolve is :func:`braggbook.binder.resolve`'s to
    ask, how large the environment is :func:`braggbook.binder.size`'s to measure.
    """
    if not (project / FOLDER).is_dir():
        return [*structure_issues(project), *launch_issues(project)]
    found: list[Issue] = []
    for check in _CHECKS:
        try:
            found += check(project)
        except (BraggbookError, OSError, UnicodeDecodeError) as error:
            found.append(_as_issue(error))
    remote = remote_of(project)
    return [*found, *launch_issues(project, repository=remote.repository if remote else "")]


def _as_issue(error: Exception) -> Issue:
    if isinstance(error, BraggbookError):
        return Issue(error.what, error.where, error.wanted, error.got)
    return Issue("cannot be read", str(getattr(error, "filename", "") or FOLDER), got=str(error))
