"""Cells that many runs share: executed once, in a process that every run is then forked from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from braggbook.kernels.warm import ForkedProcess


class SharedCells:
    outputs: dict[int, list[Any]]

    @property
    def alive(self) -> bool:
        return True

    def assignments(self, source: str) -> str:
        return source

    def fork(self, request: Mapping[str, Any], files: Sequence[int]) -> ForkedProcess:
        raise NotImplementedError
