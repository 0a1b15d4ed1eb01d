"""The hub in a tab of JupyterLab, through jupyter-server-proxy."""

from __future__ import annotations

import sys
from importlib.resources import files
from typing import Any

NAME = "braggbook"  # part of the address: <base>/braggbook/
_START_S = 60  # the first start makes the database


def server() -> dict[str, Any]:
    """Returns how the hub of the folder that JupyterLab was started in is served there.

    It listens on a Unix socket, which no other user of the machine can reach. Its addresses are passed on whole, since
    jupyter-server-proxy would otherwise put its prefix before redirects that have it already.
    """
    command = [sys.executable, "-m", "braggbook", "serve", "--socket", "{unix_socket}"]
    return {
        "command": [*command, "--prefix", "{base_url}" + NAME, "--log-format", "text"],
        "unix_socket": True,
        "absolute_url": True,
        "timeout": _START_S,
        "new_browser_tab": False,
        "launcher_entry": {"title": "Braggbook", "icon_path": str(files("braggbook.hub") / "static" / "icon.svg")},
    }
