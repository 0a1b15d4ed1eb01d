"""The tables that decide: actions of PS3.15 table E.1-1, types of PS3.3, and what may stay at all.

Edition of the actions: 2024d, with the attributes and basic actions that 2026c added. The files in ``data/`` are made
by ``scripts/make_deidentification_tables.py``; they hold facts only.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

EDITION = "PS3.15 table E.1-1, 2024d with the additions of 2026c"


def _lines(name: str) -> Iterator[dict[str, str]]:
    text = resources.files(__package__).joinpath("data", name).read_text("utf-8")
    yield from csv.DictReader(text.splitlines())


@lru_cache(maxsize=1)
def profile() -> dict[int, dict[str, str]]:
    """Returns, by tag, the action of the basic profile (113100) and of each option that has one."""
    rows = {}
    for row in _lines("confidentiality_profile.csv"):
        if "x" not in row["tag"]:
            rows[int(row["tag"], 16)] = {code: action for code, action in row.items() if code.isdigit() and action}
    return rows


@lru_cache(maxsize=1)
def allowed() -> frozenset[int]:
    """Returns the tags outside the profile that may stay when their values are plausible."""
    return frozenset(int(row["tag"], 16) for row in _lines("allowed.csv"))


@lru_cache(maxsize=1)
def terms() -> frozenset[str]:
    """Returns the defined terms and enumerated values of the standard, of all attributes together.

    ``terms.txt`` is from a program's tables; ``terms_more.txt`` is what these lack of PS3.3 and PS3.16, annex L.
    """
    folder = resources.files(__package__).joinpath("data")
    texts = (folder.joinpath(name).read_text("utf-8") for name in ("terms.txt", "terms_more.txt"))
    return frozenset(line for text in texts for line in text.split("\n")) - {""}


@lru_cache(maxsize=1)
def words() -> frozenset[str]:
    """Returns the words, in lower case, that free text may keep when descriptors are cleaned."""
    return frozenset(resources.files(__package__).joinpath("data", "words.txt").read_text("utf-8").split())


@lru_cache(maxsize=1)
def bounds() -> tuple[tuple[re.Pattern[str], float, float], ...]:
    """Returns patterns of keywords with the least and the most of their numbers, in the order of asking."""
    return tuple(
        (re.compile(row["pattern"]), float(row["lowest"]), float(row["highest"])) for row in _lines("bounds.csv")
    )


@dataclass(frozen=True)
class Types:
    """Which attributes an object must have: 1, 1C, 2 or 2C by keyword, at the top and inside sequences."""

    top: dict[str, str]
    nested: dict[tuple[str, str], str]

    def of(self, keyword: str, sequence: str) -> str:
        """Returns the type of an attribute, ``3`` when it is optional or unknown there."""
        return self.nested.get((sequence, keyword), "3") if sequence else self.top.get(keyword, "3")


@lru_cache(maxsize=1)
def _modules() -> dict[str, dict[str, str]]:
    modules: dict[str, dict[str, str]] = {}
    for row in _lines("types_of_modules.csv"):
        modules.setdefault(row["module"], {})[row["keyword"]] = row["type"]
    return modules


@lru_cache(maxsize=1)
def _nested() -> dict[tuple[str, str], str]:
    return {(row["sequence"], row["keyword"]): row["type"] for row in _lines("types_in_sequences.csv")}


@lru_cache(maxsize=1)
def _sop_classes() -> dict[str, str]:
    return {row["sop_class_uid"]: row["modules"] for row in _lines("modules_of_sop_classes.csv")}


def is_known(sop_class_uid: str) -> bool:
    """Whether the objects of a SOP class are described in the tables."""
    return sop_class_uid in _sop_classes()


def has_pixels(sop_class_uid: str) -> bool:
    """Whether objects of a SOP class are images, not whole without pixels; a dose may be histograms only."""
    modules = _sop_classes().get(sop_class_uid, "").split()
    return any(module.endswith("image-pixel") for module in modules) and "rt-dose" not in modules


@lru_cache(maxsize=64)
def types_of(sop_class_uid: str) -> Types:
    """Returns what an object of a SOP class must have; of two modules with one attribute the stricter counts."""
    top: dict[str, str] = {}
    for module in _sop_classes().get(sop_class_uid, "").split():
        for keyword, kind in _modules().get(module, {}).items():
            top[keyword] = min(kind, top.get(keyword, "9"))
    return Types(top, _nested())
