"""Names of files that a stranger chose: which are allowed, which are nobody's doing, and what the others are."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

from braggbook.errors import Issue
from braggbook.formats.challenge import SubmissionRules
from braggbook.formats.common import check_relative_path, shown
from braggbook.formats.dataset import CARD_NAME

MASK_SUFFIX = ".nii.gz"
NOTEBOOK_SUFFIX = ".ipynb"
_LONGEST_PART, _LONGEST_NAME = 200, 1000  # bytes of UTF-8; file systems take 255 for a part
_FOLDERS_LEFT, _FILES_LEFT = {"__MACOSX", ".ipynb_checkpoints"}, {".DS_Store", "Thumbs.db", "desktop.ini"}
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar", ".gz", ".bz2", ".xz", ".zst")
_PICKLES = (".pkl", ".pickle", ".joblib", ".npy", ".npz", ".pt", ".pth", ".ckpt", ".dill")
_PROGRAMS = (".exe", ".dll", ".so", ".dylib", ".sh", ".bat", ".cmd", ".ps1", ".py", ".pyc", ".js", ".jar", ".com")
_MAGIC = (  # what a file begins with, whatever it is called
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"PK\x03\x04", "a zip, or an Excel workbook"),
    (b"PK\x05\x06", "a zip"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"#!", "a program"),
    (b"\x89HDF", "an HDF5 file"),
    (b"PAR1", "a Parquet file"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"%PDF", "a PDF"),
)


def is_left_behind(name: str) -> bool:
    """Tells whether macOS, Windows or Jupyter put a file there without being asked."""
    *folders, last = name.split("/")
    return not _FOLDERS_LEFT.isdisjoint(folders) or last in _FILES_LEFT


def printable(name: str) -> str:
    """Returns a name for a message, whatever is in it."""
    return name if name.isprintable() and len(name) <= _LONGEST_PART else shown(name)


def unsafe_name(name: str) -> Iterator[Issue]:
    """Finds what no file may be called."""
    where = printable(name)
    if not name.isprintable():
        yield Issue("a name with control characters", where, "letters, digits, - and _")
        return
    if len(name.encode()) > _LONGEST_NAME or any(len(part.encode()) > _LONGEST_PART for part in name.split("/")):
        yield Issue("a name that is too long", where, f"at most {_LONGEST_PART} bytes")
    try:
        check_relative_path(name)
    except ValueError:
        yield Issue("a name that leads out of the folder, or is not portable", where)
    if any(part.startswith(".") and part not in (".", "..") for part in name.split("/")):
        yield Issue("a hidden file", where, "names that do not begin with a point")


def clashes(names: Iterable[str]) -> Iterator[Issue]:
    """Finds names that are one on some disks, which see neither case nor Unicode's spellings."""
    listed = list(names)
    counts = Counter(map(folded, listed))
    for name in listed:
        if counts[folded(name)] > 1:
            yield Issue("a name that stands twice", printable(name), "names that differ in more than case")


def folded(name: str) -> str:
    """Returns what is left of a name where case, Unicode's spellings and blanks around it do not count."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()


def is_wanted(name: str, *, rules: SubmissionRules) -> bool:
    """Tells whether predictions may have a file of this name; which cases there are is not asked here."""
    if rules.form == "table":
        return name == rules.file
    folder, _, mask = name.rpartition("/")
    return folder == rules.folder and mask.endswith(MASK_SUFFIX) and mask != MASK_SUFFIX


def wanted_names(rules: SubmissionRules) -> str:
    """Returns which files are taken, for a message."""
    return rules.file if rules.form == "table" else f"{rules.folder}/<case>{MASK_SUFFIX}"


def refused_kind(name: str) -> str:
    """Returns what a file is that the design does not name, as far as its name tells."""
    lower = name.lower()
    if lower.rpartition("/")[2] == CARD_NAME:
        return "a dataset's card: the evaluation writes its own"
    if lower.endswith(MASK_SUFFIX):
        return "a mask in another place"
    for suffixes, what in ((_ARCHIVES, "an archive"), (_PICKLES, "a pickle or NumPy file"), (_PROGRAMS, "a program")):
        if lower.endswith(suffixes):
            return what
    return "a file that the design does not name"


def disguised(head: bytes) -> str:
    """Returns what a file really is, by its first bytes; empty where nothing is known against it."""
    return next((what for magic, what in _MAGIC if head.startswith(magic)), "")
