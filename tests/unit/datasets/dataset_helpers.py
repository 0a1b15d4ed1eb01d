"""What the tests of datasets build with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from braggbook.datasets.catalogue import Dataset
from braggbook.formats.dataset import Column, DatasetCard, DatasetFile, FileOrigin

COUNTS = b"dose_gy,cells,colonies\n0,200,124\n2,400,131\n4,1200,118\n"
COLUMNS = {
    "dose_gy": Column(type="number", unit="Gy", meaning="absorbed dose", minimum=0.0),
    "cells": Column(type="integer", unit="1", meaning="cells seeded"),
    "colonies": Column(type="integer", unit="1", meaning="colonies counted"),
}


def entry(data: bytes, *, path: str = "counts.csv", urls: tuple[str, ...] = (), **more: object) -> DatasetFile:
    """Describes a file with that content."""
    origins = tuple(FileOrigin(url=url) for url in urls)
    sha256 = hashlib.sha256(data).hexdigest()
    return DatasetFile.model_validate(
        {"path": path, "sha256": sha256, "bytes": len(data), "origins": origins, "columns": COLUMNS} | more
    )


def card_of(*files: DatasetFile, **more: object) -> DatasetCard:
    """Returns a card with those files."""
    keys = {"title": "Counts", "version": 1, "license": "CC0-1.0", "provenance": "made up", "files": files}
    return DatasetCard.model_validate(keys | more)


Make = Callable[..., Dataset]


@dataclass
class Reply:
    """What the server answers at one address."""

    body: bytes = b""
    status: int = 200
    promised: int | None = None  # the length it announces, where that is not the body's
    silent_s: float = 0.0  # it says nothing for so long in the middle of the body
    location: str = ""


@dataclass
class Server:
    """A server on the loopback, and what it was asked."""

    url: str = ""
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)  # path, user agent

    def serve(self, path: str, body: bytes = b"", **more: object) -> str:
        self.replies[path] = Reply(body, **more)  # type: ignore[arg-type]
        return self.url + path
