"""Where a notebook runs: on Binder, a session ends soon, and with it everything in it."""

from __future__ import annotations

import os
from collections.abc import Mapping

# BinderHub gives these to each session (BINDER_SERVICE_HOST comes from Kubernetes)
_MARKS = ("BINDER_LAUNCH_HOST", "BINDER_REQUEST", "BINDER_REPO_URL", "BINDER_SERVICE_HOST")
REMIND_S = 600.0  # by then a student has left the notebook, or goes on checking
_IDLE_MINUTES = (
    10  # mybinder.org ends what was idle so long: https://mybinder.readthedocs.io/en/latest/about/about.html
)


def on_binder(environment: Mapping[str, str] | None = None) -> bool:
    """Returns whether this is a session on Binder."""
    known = os.environ if environment is None else environment
    hub = known.get("JUPYTERHUB_HOST", "") + known.get("JUPYTERHUB_BASE_URL", "") + known.get("JUPYTERHUB_API_URL", "")
    return any(known.get(mark) for mark in _MARKS) or "binder" in hub.casefold()


def reminder(environment: Mapping[str, str] | None = None) -> str:
    """Returns what to keep in mind on Binder, "" elsewhere."""
    if not on_binder(environment):
        return ""
    return (
        f"You are on Binder. Nothing is kept here: after about {_IDLE_MINUTES} minutes without activity the session "
        "ends, and all your work with it. bb.learn.take_away() packs notebooks, progress and runs into one zip to "
        "download."
    )
