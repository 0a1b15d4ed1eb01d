"""The card of a kernel, ``kernels/<slug>/kernel.toml``. See docs/formats/kernel.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from braggbook.formats.common import FormatModel


class KernelCard(FormatModel):
    """What a kernel is for. What it consists of stands in ``requirements.in`` and the lock made from it."""

    format: Literal["braggbook.kernel/1"] = "braggbook.kernel/1"
    title: Annotated[str, Field(min_length=1)]
    language: str = "python"
    description: str = ""
    preload: list[str] = Field([], description="modules that a warm kernel has imported before it is asked for")
