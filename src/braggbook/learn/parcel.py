"""Taking work away from a place that forgets: one zip with notebooks, progress and runs, and a link to download it."""

from __future__ import annotations

import base64
import os
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from urllib.parse import quote

from braggbook.errors import InputError
from braggbook.files import storage
from braggbook.learn.session import progress_files
from braggbook.learn.state import learn_folder
from braggbook.learn.telling import as_path, plainly
from braggbook.learn.verdict import box

_LARGEST_BYTES = 500_000_000  # a browser's download of more is likely to break off on Binder
_WITHIN_PAGE_BYTES = 20_000_000  # in the browser there is no server to link to: the zip itself is in the link
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can say
_LATEST = 4_354_819_199  # the latest one: the end of 2107
_PARTS = ("notebooks", "runs")


@dataclass(frozen=True)
class Parcel:
    """A zip to download; in a notebook it shows a link."""

    path: Path
    files: int
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        kilobytes = max(1, round(self.path.stat().st_size / 1000))
        size = f"{kilobytes} kB" if kilobytes < 1000 else f"{kilobytes / 1000:.1f} MB"
        left = f"\nLeft out: {', '.join(self.left_out)}" if self.left_out else ""
        return f"{self.path} ({self.files} file{'' if self.files == 1 else 's'}, {size}){left}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *rest = str(self).split("\n")
        link = (
            f'<a href="{escape(_address(self.path))}" download="{escape(self.path.name)}">Download '
            f"{escape(self.path.name)}</a>"
        )
        return box("note", head, *rest).replace("</div>", f"<p>{link}</p></div>")


@plainly
def take_away(what: str | Path | None = None, to: str | Path | None = None) -> Parcel:
    """Packs work into one zip and shows a link to download it.

    Args:
        what: A run's folder, or any other; by default the notebooks here, the folders notebooks/ and runs/ here or in
            the project above, and your progress.
        to: Where to put the zip; by default the working folder. Hidden files and links are left out.

    Raises:
        InputError: There is nothing to take away.
        StorageError: The zip cannot be written.
    """
    pairs = list(_tree(_folder(what)) if what is not None else _work())
    stem = _folder(what).name if what is not None else f"braggbook_{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    path = _place(to, stem)
    pairs = [(name, file) for name, file in pairs if file.resolve() != path.resolve()]
    if not pairs:
        raise InputError("nothing to take away", where=str(what or Path.cwd()), wanted="notebooks, runs or progress")
    left_out = _packed(path, pairs)
    return Parcel(path, len(pairs) - len(left_out), tuple(left_out))


def _place(to: str | Path | None, stem: str) -> Path:
    path = as_path(to) if to else Path.cwd()
    path = path / f"{stem or 'everything'}.zip" if path.is_dir() else path
    if path.suffix.lower() != ".zip":  # it would replace what stands there
        raise InputError("not a place for a zip", where=str(to), wanted="a folder, or a file that ends in .zip")
    return path


def _folder(what: str | Path) -> Path:
    folder = as_path(what).resolve()
    if not folder.is_dir():
        raise InputError("no such folder", where=str(what), next_command="braggbook list run")
    return folder


def _work() -> Iterator[tuple[str, Path]]:
    here = Path.cwd()
    for file in sorted(here.glob("*.ipynb")):
        if not file.name.startswith(".") and not file.is_symlink():
            yield f"here/{file.name}", file
    project = next(
        (folder for folder in (here, *here.parents) if all((folder / part).is_dir() for part in _PARTS)), here
    )
    for part in _PARTS:
        if (project / part).is_dir() and not (project / part).is_symlink():
            yield from _tree(project / part)
    for file in progress_files():
        yield f"progress/{file.relative_to(learn_folder()).as_posix()}", file


def _tree(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yields name and path of each file of a folder, the names with the folder's own in front."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        for name in sorted(names):
            file = Path(parent) / name
            if not name.startswith(".") and file.is_file() and not file.is_symlink():
                yield str(Path(folder.name, file.relative_to(folder)).as_posix()), file


def _packed(path: Path, pairs: list[tuple[str, Path]]) -> list[str]:
    """Writes the zip, whole or not at all; returns what was left out: too large, or it cannot be read."""
    left_out, total = [], 0
    part = path.with_name(f".{path.name}.part")
    with storage(path):
        try:
            with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as packed:
                for name, file in pairs:
                    size = _readable_bytes(file)
                    if size is None or total + size > _LARGEST_BYTES:
                        left_out.append(name)
                    else:
                        total += size
                        _add(packed, name, file)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    return left_out


def _readable_bytes(file: Path) -> int | None:
    try:
        with file.open("rb"):
            return file.stat().st_size
    except OSError:  # somebody else's, or gone meanwhile
        return None


def _add(packed: zipfile.ZipFile, name: str, file: Path) -> None:
    name = name.encode("utf-8", "replace").decode()  # Linux takes any bytes as a name
    changed = datetime.fromtimestamp(min(max(file.stat().st_mtime, 0), _LATEST), UTC).timetuple()[:6]
    entry = zipfile.ZipInfo(name, max(_EPOCH, changed))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    with file.open("rb") as source, packed.open(entry, "w", force_zip64=True) as target:
        while block := source.read(1 << 20):
            target.write(block)


def _address(path: Path) -> str:
    """Returns what a page of Jupyter can download: an address relative to the notebook, or the zip itself."""
    if sys.platform == "emscripten" and path.stat().st_size <= _WITHIN_PAGE_BYTES:
        return "data:application/zip;base64," + base64.b64encode(path.read_bytes()).decode()
    try:
        return quote(Path(os.path.relpath(path)).as_posix())
    except ValueError:  # on another drive of Windows
        return quote(path.name)
