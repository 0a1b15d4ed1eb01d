"""Names of structures, and the standard names that they may stand for.

Nothing is renamed here without a table that a person has seen: :func:`map_names` proposes, :func:`rename` applies what
no longer needs review. Source: AAPM Task Group 263, Mayo et al. 2018, Int. J. Radiat. Oncol. Biol. Phys. 100 1057;
names and regions in ``tg263.csv`` are the report's, aliases and the confidences below are ours.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from itertools import chain
from typing import Any

import pandas as pd

from braggbook.errors import ImagingError, Issue
from braggbook.imaging.structures.contours import Structures

COLUMNS = ("given", "proposed", "how", "confidence", "needs_review", "note")

_SIDES = {
    **dict.fromkeys(("l", "lt", "lft", "left", "links", "gauche", "izq", "izquierdo", "izquierda", "sinister"), "L"),
    **dict.fromkeys(
        ("r", "rt", "rgt", "right", "rechts", "droit", "droite", "der", "derecho", "derecha", "dexter"), "R"
    ),
}
_BOTH = {"both", "bilateral", "bilat", "bil", "bilaterally"}
_NOISE = {"", "the", "of", "roi", "struct", "structure", "organ"}
_SURE, _RULED, _GUESSED = 0.95, 0.9, 0.6  # spelling or alias; a rule on top; a reading that has another
_DOSE_FROM = 20  # a number after a target from here on is a dose in Gy rather than which of several targets
_CGY_FROM = 1000  # and from here on in cGy

_TARGET = re.compile(
    r"(?P<kind>i?[gc]tv|i?ptv|itv)(?P<class>p|n|sb|par|vas|v)?(?P<number>\d{1,2}(?!\d|\.\d))?"
    r"(?P<rest>(?:[ _-].*|\d.*)?)",
    re.IGNORECASE,
)
_CLASSES = {
    **dict.fromkeys(("t", "p", "prim", "primary", "tumor", "tumour"), "p"),
    **dict.fromkeys(("n", "nodal", "node", "nodes", "ln", "lymph"), "n"),
    **dict.fromkeys(("sb", "bed", "cavity"), "sb"),
}
_LEVELS = {"high": "High", "hi": "High", "mid": "Mid", "low": "Low", "lo": "Low", "boost": "Boost", "eval": "Eval"}
_DOSE = re.compile(r"(\d+(?:[.p]\d+)?)(c?gy)?", re.IGNORECASE)
_PRV = re.compile(r"[ _-]*\bprv[ _-]*(\d{1,2})?[ _-]*(?:mm)?\b|[ _]*\+[ _]*(\d{1,2})[ _]*mm\b", re.IGNORECASE)
_STANDARD_TARGET = re.compile(
    r"(?:I?GTV|I?CTV|ITV|I?PTV)(?:p|n|sb|par|vas|v)?(?:1?\d)?(?:_(?:CT|MR|PT|SP)\d{1,2}(?:(?:CT|MR|PT|SP)\d{1,2})*)?"
    r"(?:_(?:High|Low|Mid\d{0,2}|\d{3,5}))?(?:_(?:L|R))?(?:-\d{2})?(?:\^[\w+-]+)?"
)
_STANDARD_PRV = re.compile(r"(?P<root>.+)_PRV(?P<margin>\d{2})?(?P<side>_[LR])?")


@dataclass(frozen=True)
class StandardName:
    """One row of the table of standard names.

    Attributes:
        name: Without its side.
        sides: Whether it takes _L and _R.
        kind: anatomic, derived or other.
        region: Of the body.
        aliases: Other words for it, in lower case.
    """

    name: str
    sides: bool
    kind: str
    region: str
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class _Found:
    proposed: str
    how: str
    confidence: float
    review: bool
    note: str = ""


@cache
def standard_names() -> tuple[StandardName, ...]:
    """Returns the table of standard names, without targets and planning volumes, which follow from rules."""
    text = resources.files("braggbook.imaging.structures").joinpath("tg263.csv").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return tuple(
        StandardName(
            row["name"],
            row["sides"] == "LR",
            row["kind"],
            row["region"],
            tuple(filter(None, row["aliases"].split(";"))),
        )
        for row in csv.DictReader(lines)
    )


def is_standard(name: str) -> bool:
    """Whether a name is as TG-263 has it: in the table, or built by its rules.

    The rules: ``~`` after the root for a part, ``_PRVxx`` for a planning volume of xx mm, ``^...`` for a qualifier of
    one's own, targets with classifier, number, image, dose in cGy and cropping in mm, and a leading ``z`` or ``_``
    for what is no structure to report dose for.
    """
    plain = name.partition("^")[0].replace("~", "", 1)
    if plain in _exact() or _STANDARD_TARGET.fullmatch(name):
        return True
    if found := _STANDARD_PRV.fullmatch(plain):
        return found["root"] + (found["side"] or "") in _exact()
    return _is_helper(name)


def map_names(names: Iterable[str]) -> pd.DataFrame:
    """Proposes standard names for given ones, as a table to be reviewed.

    Args:
        names: As they are in a structure set; nothing is changed.

    Returns:
        One row for each, in their order: ``given``; ``proposed`` (empty where nothing fits); ``how`` it was found
        (exact, spelling, alias, side rule, both sides, PRV rule, target rule, derived rule, fuzzy with its distance,
        side missing, helper, or none); ``confidence`` from 0 to 1, an order of trust and no probability;
        ``needs_review``; and a ``note``.
    """
    given = [str(name) for name in names]
    found = [_find(name) for name in given]
    often = Counter(each.proposed for each in found if each.proposed)
    rows = []
    for name, each in zip(given, found, strict=True):
        shared = often[each.proposed] > 1
        notes = [each.note] if each.note else []
        if shared:
            notes.append("proposed for several of these names")
        review = each.review or shared
        rows.append((name, each.proposed, each.how, each.confidence, review, "; ".join(notes)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def rename(structures: Structures, table: pd.DataFrame) -> Structures:
    """Returns structures under the names of a reviewed table.

    Args:
        structures: Whose names are in the table's ``given``.
        table: From :func:`map_names`; a person sets ``proposed`` right and ``needs_review`` to False. A structure
            whose ``proposed`` is empty or who is not in the table keeps its name.

    Raises:
        ImagingError: A row still needs review, is missing a column, or two structures would get one name.
    """
    if missing := {"given", "proposed", "needs_review"} - set(table.columns):
        raise ImagingError(
            "not a table of names", wanted="the columns of map_names", got=f"no {', '.join(sorted(missing))}"
        )
    rows = {str(row["given"]): row for row in table.to_dict("records")}
    issues = [
        Issue("needs review", str(name), wanted="needs_review False", got=str(row["proposed"]) or "nothing proposed")
        for name, row in rows.items()
        if row["needs_review"] and name in structures.names
    ]
    new = [_new_name(rows, structure.name) for structure in structures]
    issues += [Issue("several structures would have one name", name) for name, n in Counter(new).items() if n > 1]
    if issues:
        raise ImagingError("names that cannot be changed", issues=issues)
    changed = tuple(replace(structure, name=name) for structure, name in zip(structures, new, strict=True))
    return replace(structures, structures=changed)


def _new_name(rows: Mapping[str, Any], name: str) -> str:
    proposed = rows[name]["proposed"] if name in rows else ""
    return proposed if isinstance(proposed, str) and proposed else name


@cache
def _exact() -> frozenset[str]:
    sided = chain.from_iterable(
        (f"{row.name}_L", f"{row.name}_R") if row.sides else (row.name,) for row in standard_names()
    )
    return frozenset(sided)


@cache
def _keys() -> dict[str, tuple[str, bool]]:
    """Returns standard roots by key, and whether the key is an alias rather than the name's own spelling."""
    keys: dict[str, tuple[str, bool]] = {}
    for row in standard_names():
        for key in _spellings(row.name):
            keys.setdefault(key, (row.name, False))
    for row in standard_names():
        for key in chain.from_iterable(_spellings(alias) for alias in row.aliases):
            keys.setdefault(key, (row.name, True))
    return keys


def _spellings(text: str) -> set[str]:
    """Returns keys of a name: its words run together, in their order and sorted."""
    words = _words(text)
    return {"".join(words), " ".join(sorted(words))}


def _words(text: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return [word for word in re.split(r"[^0-9a-zäöüß]+", spaced.lower()) if word not in _NOISE]


def _is_helper(name: str) -> bool:
    return bool(re.fullmatch(r"_\S+|z[A-Z_]\S*", name))


def _find(name: str) -> _Found:
    if _is_helper(name):
        return _Found(name, "helper", 1.0, review=False, note="z or _ in front: no structure to report dose for")
    if is_standard(name):
        return _Found(name, "exact", 1.0, review=False)
    for rule in (_target, _prv, _derived, _anatomic):
        if (found := rule(name.strip())) is not None:
            return found
    return _fuzzy(name)


def _target(name: str) -> _Found | None:
    found = _TARGET.fullmatch(name)
    if found is None:
        return None
    kind = found["kind"].upper()
    classifier, number = (found["class"] or "").lower(), found["number"] or ""
    rest = [word for word in re.split(r"[ _-]+", found["rest"]) if word]
    doses, review = [], False
    if number and int(number) >= _DOSE_FROM:
        rest, number, review = [number, *rest], "", True
    unknown = []
    for word in chain.from_iterable(map(_class_and_number, rest)):
        low = word.lower()
        if low in _CLASSES and not classifier:
            classifier = _CLASSES[low]
        elif low in _LEVELS and low not in ("boost", "eval"):
            doses.append(_LEVELS[low])
        elif dose := _cgy(word):
            doses.append(dose)
            review = review or (word.isdigit() and float(word) < _CGY_FROM)
        elif re.fullmatch(r"\d{1,2}", word) and not number:
            number = str(int(word))
        elif low not in ("gy", "cgy"):
            unknown.append(word)
    proposed = "_".join([f"{kind}{classifier}{number}", *doses[:1]])
    if unknown or len(doses) > 1:
        left = ", ".join(unknown + doses[1:])
        return _Found(proposed, "target rule", _GUESSED, review=True, note=f"not understood: {left}")
    note = "is the number a dose in Gy?" if review else ""
    return _Found(proposed, "target rule", _GUESSED if review else _RULED, review=review, note=note)


def _class_and_number(word: str) -> list[str]:
    """Splits "N2" and "t1"."""
    found = re.fullmatch(r"([A-Za-z]+)(\d{1,2})", word)
    return [found[1], found[2]] if found and found[1].lower() in _CLASSES else [word]


def _cgy(word: str) -> str:
    """Returns a dose in cGy as digits; empty for what is none."""
    found = _DOSE.fullmatch(word)
    if found is None:
        return ""
    value = float(found[1].lower().replace("p", "."))
    unit = (found[2] or "").lower()
    if not unit and value < _DOSE_FROM:
        return ""
    gray = unit == "gy" or (not unit and value < _CGY_FROM)
    return f"{round(value * 100 if gray else value)}"


def _prv(name: str) -> _Found | None:
    found = _PRV.search(name)
    if found is None:
        return None
    root = _find((name[: found.start()] + " " + name[found.end() :]).strip(" _-"))
    if not root.proposed or "PRV" in root.proposed:
        return _Found("", "PRV rule", 0.0, review=True, note="a planning volume of an unknown organ")
    margin = found[1] or found[2]
    stem, side = (root.proposed[:-2], root.proposed[-2:]) if root.proposed[-2:] in ("_L", "_R") else (root.proposed, "")
    proposed = f"{stem}_PRV{int(margin):02d}{side}" if margin else f"{stem}_PRV{side}"
    note = root.note if margin else "margin not said"
    return _Found(proposed, "PRV rule", min(_RULED, root.confidence), review=root.review or not margin, note=note)


def _derived(name: str) -> _Found | None:
    """Reads "A minus B"."""
    parts = re.split(r"\s+-\s*|\s*-\s+|\s+minus\s+|(?<=[A-Za-z])-(?=[GCPI]+TV)", name, maxsplit=1)
    if len(parts) != 2:
        return None
    from_, what = (_find(part) for part in parts)
    if not from_.proposed or not what.proposed or "-" in from_.proposed + what.proposed:
        return None
    proposed = f"{from_.proposed}-{what.proposed}"
    known = proposed in _exact() and not (from_.review or what.review)
    return _Found(proposed, "derived rule", _RULED if known else _GUESSED, review=not known)


def _split_side(words: list[str]) -> tuple[list[str], str]:
    """Returns the words without sides, and L, R, B (both), ? (contradicting) or nothing."""
    sides = {("B" if word in _BOTH else _SIDES[word]) for word in words if word in _BOTH or word in _SIDES}
    rest = [word for word in words if word not in _BOTH and word not in _SIDES]
    return rest, (sides.pop() if len(sides) == 1 else "?" if sides else "")


def _anatomic(name: str) -> _Found | None:
    part = "~" if "~" in name else ""
    whole = _words(name)
    if (found := _lookup(whole)) and (sided := _with_side(*found, "", part)):
        return sided
    rest, side = _split_side(whole)
    found = _lookup(rest)
    if found is None and not side and len(whole) == 1:
        rest, side = _glued(whole[0])
        found = _lookup(rest) if side else None
    if found is None:
        return None
    if side == "?":
        return _Found("", "side missing", 0.0, review=True, note="both sides are named")
    return _with_side(*found, side, part) or _side_problem(found[0], side)


def _glued(word: str) -> tuple[list[str], str]:
    """Splits a side that is written without a blank, as in ``LtLung`` or ``parotidR``."""
    for text in ("left", "right", "lt", "rt", "l", "r"):
        for rest in (word.removeprefix(text), word.removesuffix(text)):
            if rest != word and len(rest) > 2 and _lookup([rest]):
                return [rest], _SIDES[text]
    return [word], ""


def _lookup(words: list[str]) -> tuple[str, bool] | None:
    keys = _keys()
    return keys.get("".join(words)) or keys.get(" ".join(sorted(words)))


def _plural(root: str) -> str:
    irregular = {"Hippocampus": "Hippocampi", "Ovary": "Ovaries", "LN_Pelvic": "LN_Pelvics"}
    return irregular.get(root, f"{root}s")


def _with_side(root: str, alias: bool, side: str, part: str) -> _Found | None:  # noqa: FBT001 - how it was found
    """Returns the standard name of a root and a side; None where they do not go together."""
    if side == "B":
        proposed = root if f"{root[:-1]}_L" in _exact() else _plural(root)
        how = "both sides"
    else:
        proposed = f"{root}_{side}" if side else root
        how = ("alias" if alias else "spelling") if not side else ("alias, side rule" if alias else "side rule")
    if proposed not in _exact():
        return None
    stem, end = (proposed[:-2], proposed[-2:]) if side in ("L", "R") else (proposed, "")
    return _Found(f"{stem}{part}{end}", how, _RULED if side and alias else _SURE, review=False)


def _side_problem(root: str, side: str) -> _Found:
    if side:
        return _Found("", "none", 0.0, review=True, note=f"{root} has no sides in TG-263")
    both = _plural(root)
    choices = [f"{root}_L", f"{root}_R", *([both] if both in _exact() else [])]
    return _Found("", "side missing", 0.0, review=True, note=f"one of {', '.join(choices)}")


def _fuzzy(name: str) -> _Found:
    rest, side = _split_side(_words(name))
    key = "".join(rest)
    most = 0 if len(key) < 5 else 1 if len(key) < 8 else 2
    near: dict[int, set[str]] = {}
    for other, (root, _) in _keys().items():
        if most and " " not in other and abs(len(other) - len(key)) <= most:
            distance = edit_distance(key, other)
            if distance <= most:
                near.setdefault(distance, set()).add(root)
    if not near:
        return _Found("", "none", 0.0, review=True)
    distance = min(near)
    roots = sorted(near[distance])
    found = _with_side(roots[0], alias=False, side=side, part="") if len(roots) == 1 else None
    how = f"fuzzy, distance {distance}"
    if found is None:
        return _Found("", how, 0.0, review=True, note=f"near {', '.join(roots)}")
    confidence = round(_RULED * (1 - distance / len(key)), 2)
    return _Found(found.proposed, how, confidence, review=True)


def edit_distance(one: str, two: str) -> int:
    """Returns how many letters must be inserted, deleted, replaced or swapped with a neighbour (Damerau 1964)."""
    before: list[int] = []
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, start=1):
        last, row, older = row, [i], before
        for j, b in enumerate(two, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if older and j > 1 and a == two[j - 2] and one[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        before = last
    return row[-1]
