"""What a file is by its name, and what a browser may do with it."""

from __future__ import annotations

from dataclasses import dataclass

from braggbook.datasets.arrays import ARRAYS
from braggbook.datasets.sheets import TABLES

_DOWNLOAD = "application/octet-stream"
PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif"}
TEXTS = (
    ".txt",
    ".md",
    ".log",
    ".json",
    ".jsonl",
    ".toml",
    ".yaml",
    ".yml",
    ".in",
    ".lock",
    ".bib",
    ".cff",
    ".py",
    ".r",
)
VOLUMES = (".nii", ".nii.gz", ".dcm")
STORE = ".zarr"  # ends the name of a folder that is one image
ACTIVE = (".svg", ".html", ".htm", ".xhtml", ".xml", ".js", ".mjs", ".css", ".pdf", ".ipynb")  # may hold programs
_WORDS = (
    ("table", TABLES), ("arrays", ARRAYS), ("volume", VOLUMES), ("picture", tuple(PICTURES)), ("notebook", (".ipynb",)),
    ("drawing", (".svg",)), ("page", (".html", ".htm", ".xhtml")), ("text", TEXTS),
    ("archive", (".zip", ".tar", ".gz")),
)  # fmt: skip


@dataclass(frozen=True)
class Media:
    """How a file is sent: its type, and whether a browser may show it itself (else it saves it)."""

    type: str
    inline: bool


def store_of(path: str) -> str | None:
    """Returns the folder of the Zarr store that a file belongs to, None where it belongs to none."""
    parts = path.split("/")
    at = next((at for at, part in enumerate(parts[:-1]) if part.lower().endswith(STORE)), None)
    return None if at is None else "/".join(parts[: at + 1])


def kind_of(path: str) -> str:
    """Returns one word for a file: table, volume, picture, text, ..., or ``other``."""
    if store_of(path):
        return "volume"
    name = path.lower()
    return next((word for word, endings in _WORDS if name.endswith(endings)), "other")


def media_of(path: str) -> Media:
    """Returns how a stranger's file is sent: what could be a program only as a download, under a type without one."""
    name = path.lower()
    picture = next((type for ending, type in PICTURES.items() if name.endswith(ending)), None)
    if picture:
        return Media(picture, inline=True)
    if name.endswith((*TEXTS, ".csv", ".tsv", ".tab")):
        return Media("text/plain; charset=utf-8", inline=True)
    return Media(_DOWNLOAD, inline=False)
