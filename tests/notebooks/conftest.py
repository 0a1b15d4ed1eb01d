"""Templates live as long as a module's tests: the next module counts processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from braggbook.kernels.warm import TEMPLATES


@pytest.fixture(scope="module", autouse=True)
def _templates_end() -> Iterator[None]:
    yield
    TEMPLATES.close()
