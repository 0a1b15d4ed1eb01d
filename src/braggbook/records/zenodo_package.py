"""The class of the package zenodo-client, imported so that it leaves nothing behind.

The package pystow, which it stores downloads with, makes ``~/.data`` and a file in it when it is imported. We use
neither, so that folder is a temporary one for as long as the import takes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

_HOME = "PYSTOW_HOME"


@contextmanager
def _elsewhere() -> Iterator[None]:
    before = os.environ.get(_HOME)
    with TemporaryDirectory(prefix="braggbook-") as folder:
        os.environ[_HOME] = folder
        try:
            yield
        finally:
            if before is None:
                os.environ.pop(_HOME, None)
            else:
                os.environ[_HOME] = before


with _elsewhere():
    from zenodo_client import Zenodo

__all__ = ["Zenodo"]
