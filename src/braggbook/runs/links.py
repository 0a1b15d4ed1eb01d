"""Where a run's DOI leads: to its page, and to a machine that opens its notebook."""

from __future__ import annotations

import re
from urllib.parse import quote

from braggbook.formats.archive import is_registered

_ZENODO = re.compile(r"10\.5281/zenodo\.[0-9]+")
_OPENED = "lab/tree/executed.ipynb"  # at the top of the record, so that the data beside it are found


def doi_link(doi: str) -> str | None:
    """Returns the address that a DOI is resolved at, or None where no resolver knows it."""
    return f"https://doi.org/{quote(doi, safe='/:;()')}" if is_registered(doi) else None


def binder_link(doi: str, *, opened: str = _OPENED) -> str | None:
    """Returns the address where Binder opens a run's notebook from its record, or None when it cannot.

    Binder finds records of Zenodo itself by their DOI, and knows neither its sandbox nor a folder of ours.

    Args:
        doi: Of the record.
        opened: What JupyterLab opens, as the end of its address: ``lab/tree/`` and a path in the record.
    """
    if not _ZENODO.fullmatch(doi):
        return None
    return f"https://mybinder.org/v2/zenodo/{doi}/?urlpath={quote(opened, safe='')}"
