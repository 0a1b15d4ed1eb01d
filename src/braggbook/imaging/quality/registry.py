"""What a check is, and how checks are found: each is a small function with a decorator, in one file a dimension."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from braggbook.errors import DuplicateName
from braggbook.formats.quality import Dimension

# Grows whenever a check comes, goes or changes its limit: reports of two versions are not compared by their scores
CHECK_SET = "1.0"

Scope = Literal["instance", "series", "all"]
PLACED = ("CT", "MR", "PT")  # modalities whose images are slices of a volume
VOXELS = ("CT", "MR", "PT", "NM", "RTDOSE")
RADIOTHERAPY = ("RTSTRUCT", "RTPLAN", "RTDOSE")


class NotApplicable(Exception):
    """There is nothing here that the check is about."""


class NotAssessed(Exception):
    """The check is about what is here, and cannot be made; its text says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        where: File, slice or structure.
        wanted: What should be there.
        found: What is; of an identifying element only its shape.
        tag: As ``(0028,0030) PixelSpacing``, where one is to blame.
    """

    where: str
    wanted: str
    found: str
    tag: str = ""


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        id: ``dimension.what``.
        dimension: Whose score it counts in.
        title: What holds when it passes.
        scope: What it is given: ``instance`` (a :class:`~braggbook.imaging.quality.evidence.Head`), ``series`` (a
            :class:`~braggbook.imaging.quality.evidence.SeriesEvidence`), or ``all`` (an
            :class:`~braggbook.imaging.quality.evidence.Evidence`).
        source: Where its rule or its limit is from.
        look: The function; yields findings, and raises :class:`NotApplicable` or :class:`NotAssessed`.
        modalities: To which it applies; empty for all.
        blocking: Whether a finding alone sets the grade.
        uses: Only when one of these is what the images are for; empty for always.
    """

    id: str
    dimension: Dimension
    title: str
    scope: Scope
    source: str
    look: Callable[[Any], Iterable[Finding]]
    modalities: tuple[str, ...] = ()
    blocking: bool = False
    uses: tuple[str, ...] = ()


_CHECKS: dict[str, Check] = {}
Look = Callable[[Any], Iterable[Finding]]


def add(check: Check) -> None:
    """Registers a check.

    Raises:
        DuplicateName: Another has its id.
    """
    if other := _CHECKS.get(check.id):
        got = f"{other.look.__module__} and {check.look.__module__}"
        raise DuplicateName("two checks have one id", where=check.id, got=got)
    _CHECKS[check.id] = check


def check(
    name: str,
    title: str,
    *,
    dimension: Dimension,
    scope: Scope,
    source: str,
    modalities: tuple[str, ...] = (),
    blocking: bool = False,
    uses: tuple[str, ...] = (),
) -> Callable[[Look], Look]:
    """Registers the function that follows as a check; for the arguments see :class:`Check`."""

    def register(look: Look) -> Look:
        add(Check(name, dimension, title, scope, source, look, modalities, blocking, uses))
        return look

    return register


@lru_cache(maxsize=1)
def checks() -> tuple[Check, ...]:
    """Returns all checks, of every module in ``checks/``, by id."""
    from braggbook.imaging.quality import checks as room  # noqa: PLC0415 - its modules import this one

    for module in pkgutil.iter_modules(room.__path__):
        importlib.import_module(f"{room.__name__}.{module.name}")
    return tuple(sorted(_CHECKS.values(), key=lambda each: each.id))
