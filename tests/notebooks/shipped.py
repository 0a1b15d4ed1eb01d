"""The notebooks that ship, and which of them have their data at hand."""

from __future__ import annotations

import os
from typing import Any

import pytest

from ..conftest import MIRROR, ROOT

_ELSEWHERE = {".ipynb_checkpoints", "tutorials"}  # tests/tutorials proves those
_PATHS = {path.stem: path for path in (ROOT / "notebooks").rglob("*.ipynb") if not _ELSEWHERE & {*path.parts}}
# The data of these are fetched by address, for they are not in the repository.
_FETCH = {slug for slug, path in _PATHS.items() if path.parent.name == "imaging"}
WITH_DATA = sorted(slug for slug in _PATHS if slug not in _FETCH or MIRROR in os.environ)
SHIPPED: list[Any] = [
    pytest.param(slug, marks=pytest.mark.skipif(slug not in WITH_DATA, reason=f"needs the folder named by {MIRROR}"))
    for slug in sorted(_PATHS)
]
