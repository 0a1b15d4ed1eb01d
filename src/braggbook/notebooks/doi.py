"""The DOI of the run that a notebook is executed in, when one was reserved before it."""

from __future__ import annotations

import os

DOI_VARIABLE = "BRAGGBOOK_RUN_DOI"


def run_doi() -> str | None:
    """Returns the DOI that was reserved for this run (``braggbook run --reserve``), so that figures can carry it.

    Returns:
        The DOI, as ``10.5281/zenodo.123``; None in a run without one, and outside a run.
    """
    return os.environ.get(DOI_VARIABLE) or None
