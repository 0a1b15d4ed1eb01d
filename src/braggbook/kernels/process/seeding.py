"""Seeding the random streams that a notebook may draw from without naming a generator: Python's and NumPy's."""

from __future__ import annotations

import importlib.util
import random
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

_NUMPY_STREAM = "numpy.random.mtrand"  # where the stream behind numpy.random.normal() and the like lives


def seed_streams(seed: int | None) -> None:
    """Seeds Python's and NumPy's global streams, NumPy's when it is imported if that is later.

    Args:
        seed: Of both; None takes it from the system. A forked process has its parent's streams: without this, every
            kernel would draw the same "random" numbers.
    """
    random.seed(seed)
    if _NUMPY_STREAM in sys.modules:
        sys.modules[_NUMPY_STREAM].seed(None if seed is None else seed % 2**32)
    elif seed is not None:
        sys.meta_path.insert(0, _SeedWhenImported(seed))


class _SeedWhenImported(MetaPathFinder):
    """Finds nothing itself; it lets the others find NumPy's stream and seeds it once it has been loaded."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002 - importlib's
        if name != _NUMPY_STREAM:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        loader: Any = spec.loader
        load = loader.exec_module

        def load_and_seed(module: Any) -> None:
            load(module)
            module.seed(self._seed % 2**32)

        loader.exec_module = load_and_seed
        return spec
