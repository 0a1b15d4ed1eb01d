"""Where things lie for the panel: paths below the server's folder, and the project that a notebook belongs to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from braggbook.errors import UnknownName
from braggbook.settings import Settings, find_project, load_settings

_MARK = "kernels"  # without kernels a folder is no project that a notebook could run in
_BINDER = ("BINDER_SERVICE_HOST", "BINDER_LAUNCH_HOST", "BINDER_REQUEST")  # BinderHub sets them for every session


@dataclass(frozen=True)
class Places:
    """What the server shows of this machine, and where it was started.

    Attributes:
        root: The folder that JupyterLab shows; nothing outside of it is named by a browser.
        environment: Variables of the server's process.
    """

    root: Path
    environment: Mapping[str, str]

    @property
    def on_binder(self) -> bool:
        """Whether this is a session of Binder, which ends and takes everything with it."""
        return any(self.environment.get(name) for name in _BINDER)

    def path(self, given: str) -> Path:
        """Returns a file or folder that a browser names as JupyterLab does: relative to the root.

        Raises:
            UnknownName: There is none, or it lies outside of the root, also by a link.
        """
        root = self.root.resolve()
        try:
            path = (root / given.strip("/")).resolve()
            inside = path.is_relative_to(root) and path.exists()
        except (OSError, ValueError):  # a name too long, or with a null in it
            inside = False
        if not inside:
            raise UnknownName("no such file in JupyterLab's folder", where=given[:200])
        return path

    def shown(self, path: Path) -> str:
        """Returns a path as JupyterLab names it; "" where it lies outside of the root."""
        root, real = self.root.resolve(), path.resolve()
        return real.relative_to(root).as_posix() if real.is_relative_to(root) else ""

    def settings(self, notebook: Path | None = None) -> Settings:
        """Returns the settings of the project that a notebook lies in, as the command line finds them.

        Args:
            notebook: Its path; None for the project of the server's folder.
        """
        settings, origins = load_settings(environment=self.environment, start=self.root)
        if notebook is None or origins["project"] != "default":
            return settings
        project = find_project(notebook.parent)
        if not (project / _MARK).is_dir():
            return settings
        return replace(
            settings, project=project, runs=project / "runs" if origins["runs"] == "default" else settings.runs
        )


def places_of(root: str | os.PathLike[str]) -> Places:
    """Returns the places of a server that shows one folder."""
    return Places(Path(root).expanduser(), os.environ)
