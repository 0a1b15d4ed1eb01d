"""What JupyterLab loads: the server's side of the panel, and the hub in a tab."""

from __future__ import annotations


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Tells jupyter-server where the extension is; nothing of it is imported by that."""
    return [{"module": "braggbook.lab.extension"}]
