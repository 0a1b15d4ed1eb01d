"""The panel of JupyterLab in the wheel: what was built is taken along; a standard wheel builds it where Node is there.

An editable install, and with it ``uv run`` from a clone, never runs npm. Everything but the panel works without it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE, BUILT = "labextension", "labextension/build"
PANEL, SERVER = "share/jupyter/labextensions/braggbook", "etc/jupyter/jupyter_server_config.d/braggbook.json"
ENTRY = "package.json"  # JupyterLab finds the extension by it
SKIP = "BRAGGBOOK_SKIP_PANEL"  # set to build a wheel without the panel although Node is there
_INSTALL = ("npm", "ci", "--no-audit", "--no-fund")
_BUILD = ("npm", "run", "build")


class PanelHook(BuildHookInterface):
    """Adds the panel and what switches its server's side on."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it packs.

        Args:
            version: ``standard`` or ``editable``.
            build_data: What else goes into the wheel.
        """
        root = Path(self.root)
        shared = build_data.setdefault("shared_data", {})
        shared[f"{SOURCE}/server.json"] = SERVER
        built = root / BUILT
        if version == "standard" and not (built / ENTRY).is_file() and not os.environ.get(SKIP):
            self._build(root / SOURCE)
        if (built / ENTRY).is_file():
            shared[BUILT] = PANEL
            shared[f"{SOURCE}/install.json"] = f"{PANEL}/install.json"
        elif version == "standard":
            self.app.display_warning(
                "The panel of JupyterLab is NOT in this wheel: there is no labextension/build, and no npm to build it. "
                "Everything else is in it. To have the panel: install Node 20 or newer, then build again."
            )

    def _build(self, source: Path) -> None:
        """Builds the panel where npm is there; a build that fails is said, and not hidden."""
        if shutil.which("npm") is None or not (source / "package-lock.json").is_file():
            return
        self.app.display_info("building the panel of JupyterLab (npm ci, npm run build)")
        for command in (_INSTALL, _BUILD):
            done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
            if done.returncode:
                tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
                raise RuntimeError(f"{' '.join(command)} failed; set {SKIP}=1 for a wheel without the panel\n{tail}")
