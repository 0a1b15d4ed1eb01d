"""The two ``.dat`` files of PIDE 3.x: a line per survival curve, fixed columns, then dose and survival in turn.

    IonRawData     experiment, publication, name, ion experiment, photon experiment, dose, survival, dose, ...
    PhotonRawData  experiment, publication, name, photon experiment, dose, survival, dose, ...

Columns are separated by tabs or blanks; "N/A" stands where a publication has no points.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from braggbook.errors import DatasetMissing, Issue, ScienceError

_MISSING = ("N/A", "NA", "")


@dataclass(frozen=True)
class RawCurves:
    """What one of the two files holds.

    Attributes:
        index: A row per line: line, exp_id, publication_id, publication, [ion_experiment,] photon_experiment, points.
        points: A row per point, with the columns that identify the curve, then point, dose_gy, survival.
    """

    index: pd.DataFrame
    points: pd.DataFrame


def read_ion_curves(path: Path) -> RawCurves:
    """Reads the raw data of the ions.

    Raises:
        DatasetMissing: The file is not there.
        ScienceError: A line is not of this form; every one is named.
    """
    return _read(path, ("ion_experiment", "photon_experiment"), key=("exp_id",))


def read_photon_curves(path: Path) -> RawCurves:
    """Reads the raw data of the photons.

    Raises:
        DatasetMissing: The file is not there.
        ScienceError: A line is not of this form; every one is named.
    """
    return _read(path, ("photon_experiment",), key=("publication_id", "photon_experiment"))


def path_of(value: str | os.PathLike[str]) -> Path:
    """Returns a path, or raises ScienceError for what is none."""
    if not isinstance(value, str | os.PathLike):
        raise ScienceError("not a path", wanted="a text or a path", got=repr(value))
    return Path(value)


def read_text(path: Path) -> str:
    """Returns the text of a file; names of authors may be in Latin-1."""
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # the second: a null in the name
        got = getattr(error, "strerror", None) or str(error)
        raise DatasetMissing("cannot read the file", where=str(path), got=got) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _read(path: Path, numbers: tuple[str, ...], *, key: tuple[str, ...]) -> RawCurves:
    fixed = ("exp_id", "publication_id", "publication", *numbers)
    curves: list[tuple[int, tuple[object, ...], list[float]]] = []
    issues: list[Issue] = []
    seen: dict[tuple[object, ...], int] = {}
    for line, text in enumerate(read_text(path).splitlines(), start=1):
        if not text.strip() or (not curves and _is_heading(text)):
            continue
        try:
            found, values = _curve(text, len(numbers))
        except ValueError as error:
            issues.append(Issue(str(error), where=f"line {line}", wanted=", ".join(fixed) + ", then pairs or N/A"))
            continue
        issues += [Issue(what, where=f"line {line}", got=got) for what, got in _point_issues(values)]
        named = tuple(dict(zip(fixed, found, strict=True))[name] for name in key)
        if named in seen:
            issues.append(Issue("a second curve of one experiment", where=f"line {line}", got=f"as line {seen[named]}"))
        seen.setdefault(named, line)
        curves.append((line, found, values))
    if not curves and not issues:
        issues.append(Issue("no curves"))
    if issues:
        raise ScienceError(f"not a file of PIDE raw data: {path.name}", issues=issues)
    index = [(line, *found, len(values) // 2) for line, found, values in curves]
    points = [
        (*found, number + 1, values[2 * number], values[2 * number + 1])
        for _, found, values in curves
        for number in range(len(values) // 2)
    ]
    return RawCurves(
        index=pd.DataFrame(index, columns=["line", *fixed, "points"]),
        points=pd.DataFrame(points, columns=[*fixed, "point", "dose_gy", "survival"]),
    )


def _is_heading(text: str) -> bool:
    first = text.lstrip("#\t ").split()[0] if text.strip("#\t ") else ""
    return text.lstrip().startswith("#") or first.lower() in ("expid", "exp_id")


def _curve(text: str, numbers: int) -> tuple[tuple[object, ...], list[float]]:
    """Takes a line apart; ValueError says what is wrong with it."""
    words = [word.strip() for word in text.split("\t")] if "\t" in text else text.split()
    while words and words[-1] == "":
        words.pop()
    if len(words) < 4 + numbers:
        raise ValueError(f"too few columns ({len(words)})")
    experiment, publication = (_whole(word) for word in words[:2])
    name, rest = [words[2]], words[3:]
    while len(rest) > numbers and not _looks_whole(rest[0]):  # a name with blanks in a line without tabs
        name.append(rest.pop(0))
    fixed = (experiment, publication, " ".join(name), *(_whole(word) for word in rest[:numbers]))
    return fixed, _pairs(rest[numbers:])


def _pairs(words: list[str]) -> list[float]:
    if not words or all(word in _MISSING for word in words):
        return []
    if len(words) % 2:
        raise ValueError(f"a dose without a survival ({len(words)} values)")
    try:
        return [float(word) for word in words]
    except ValueError:
        bad = next(word for word in words if not _is_float(word))
        raise ValueError(f"not a number: {bad!r}") from None


def _point_issues(values: list[float]) -> list[tuple[str, str]]:
    found = [("a dose is not usable", f"{d:g} Gy") for d in values[::2] if not (math.isfinite(d) and d >= 0)]
    found += [("a survival is not usable", f"{s:g}") for s in values[1::2] if not (math.isfinite(s) and s >= 0)]
    return found


def _whole(word: str) -> int:
    if not _looks_whole(word):
        raise ValueError(f"not a whole number: {word!r}")
    return int(float(word))


def _looks_whole(word: str) -> bool:
    return _is_float(word) and math.isfinite(float(word)) and float(word) == int(float(word))


def _is_float(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
