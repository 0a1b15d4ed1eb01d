"""The constants court: every constant of a published model, who says so, and who says otherwise.

A constant is declared beside the model that uses it, with a reading per source, the one that is taken first::

    OFFSET = constant("mcnamara.rbe_max_constant", unit="1", readings={PAPER: 0.99064, MATRAD: 0.999064},
                      ruling="matRad's is a slip of the pen: the paper and two other programs have 0.99064")

and read as ``OFFSET.value`` inside the model's function, never at import, so that three things hold:

* where sources disagree and nobody has ruled, the model refuses to run until it is told which source to take:
  ``with taking({"peeler.rbe_min_slope": "review"})``, or the model's own ``sources=`` argument;
* a run knows which constants its numbers rest on (:func:`constants_read`) and the version of the court;
* ``with supposing({"mcnamara.rbe_max_constant": 0.999064})`` shows what another value would change.

Tables of measured data (stopping powers, spectra) and exact mathematics are not constants in this sense.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import pkgutil
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeVar

from braggbook.errors import DuplicateName, Issue, ScienceError, unknown_name
from braggbook.units import parse_unit

__all__ = [
    "Constant",
    "Source",
    "Status",
    "constant",
    "constants",
    "constants_read",
    "constants_version",
    "find_constant",
    "suppose",
    "supposing",
    "taking",
]

_T = TypeVar("_T")
Status = Literal["agreed", "single source", "ruled", "disputed"]

_NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")
_VERSION_DIGITS = 12  # 48 bits tell any two versions of a court of some hundred constants apart

_CONSTANTS: dict[str, Constant] = {}
_READ: dict[str, float] = {}
_TAKEN: ContextVar[Mapping[str, str]] = ContextVar("taken", default=MappingProxyType({}))
_SUPPOSED_EVERYWHERE: dict[str, float] = {}
_SUPPOSED: ContextVar[Mapping[str, float]] = ContextVar("supposed", default=MappingProxyType({}))


@dataclass(frozen=True)
class Source:
    """Where a value was read.

    Attributes:
        key: Short name, by which the source is chosen: "paper", "review", "matRad".
        citation: What it is, with DOI or address.
    """

    key: str
    citation: str


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant of a published model.

    Attributes:
        name: ``model.constant``, lower case.
        unit: Its unit, "1" for a pure number.
        readings: The value in each source; the first is taken unless the constant is disputed.
        ruling: Why the first reading is taken although another source differs; "" when nobody has ruled.
        note: What else a user should know.
    """

    name: str
    unit: str
    readings: Mapping[Source, float]
    ruling: str = ""
    note: str = ""

    @property
    def status(self) -> Status:
        """Whether the sources agree, and if not, whether the difference is settled."""
        if len(self.readings) == 1:
            return "single source"
        if len(set(self.readings.values())) == 1:
            return "agreed"
        return "ruled" if self.ruling else "disputed"

    @property
    def value(self) -> float:
        """The value to calculate with, in ``unit``.

        Raises:
            ScienceError: The sources disagree, nobody has ruled, and none was chosen; or there is no such source.
        """
        value = self._supposed_or_read()
        _READ[self.name] = value
        return value

    def _supposed_or_read(self) -> float:
        supposed = {**_SUPPOSED_EVERYWHERE, **_SUPPOSED.get()}
        if self.name in supposed:
            return supposed[self.name]
        by_key = {source.key: value for source, value in self.readings.items()}
        key = _TAKEN.get().get(self.name)
        if key is not None:
            if key not in by_key:
                raise unknown_name(f"source of {self.name}", key, by_key, next_command=self._command)
            return by_key[key]
        if self.status == "disputed":
            raise ScienceError(
                f"the sources of {self.name} disagree and nobody has ruled",
                wanted=" or ".join(f'sources={{"{self.name}": "{key}"}}' for key in by_key),
                got="; ".join(f"{value!r} ({key})" for key, value in by_key.items()),
                next_command=self._command,
            )
        return next(iter(by_key.values()))

    @property
    def _command(self) -> str:
        return f"braggbook show constants {self.name}"


def constant(name: str, *, unit: str, readings: Mapping[Source, float], ruling: str = "", note: str = "") -> Constant:
    """Enters a constant into the court and returns it.

    Args:
        name: ``model.constant``, lower case.
        unit: Unit of the value; "1" for a pure number.
        readings: Value per source, the one to take first.
        ruling: Why that one, where the sources differ.
        note: What else a user should know.

    Raises:
        DuplicateName: Another constant has this name.
        ScienceError: The record is not usable: no source, two sources of one key, a value that is not finite, a
            ruling on sources that agree.
        UnitError: The unit is not known.
    """
    parse_unit(unit)
    keys = [source.key for source in readings]
    issues = [
        Issue("not a finite number", where=s.key, got=repr(v)) for s, v in readings.items() if not math.isfinite(v)
    ]
    if _NAME.fullmatch(name) is None:
        issues.append(Issue("not a constant's name", wanted="model.constant in lower case", got=name))
    if not keys:
        issues.append(Issue("no source", wanted="at least one"))
    if len(set(keys)) < len(keys):
        issues.append(Issue("two sources of one key", got=", ".join(keys)))
    if ruling and len(set(readings.values())) == 1:
        issues.append(Issue("a ruling on sources that agree", got=ruling))
    if issues:
        raise ScienceError(f"not a record of a constant: {name}", issues=issues)
    if name in _CONSTANTS:
        raise DuplicateName(f"two constants are named {name!r}")
    _CONSTANTS[name] = Constant(name, unit=unit, readings=MappingProxyType(dict(readings)), ruling=ruling, note=note)
    return _CONSTANTS[name]


def constants() -> Mapping[str, Constant]:
    """Returns every constant of every model by name, sorted (a read-only view)."""
    package = importlib.import_module("braggbook.radiobiology")
    readers = f"{package.__name__}.io."  # they hold no constants, and their libraries are heavy
    for module in pkgutil.walk_packages(package.__path__, prefix=f"{package.__name__}."):
        if not module.name.startswith(readers):
            importlib.import_module(module.name)
    return MappingProxyType(dict(sorted(_CONSTANTS.items())))


def find_constant(name: str) -> Constant:
    """Returns a constant by its name.

    Raises:
        UnknownName: There is none; the closest names are given.
    """
    known = _CONSTANTS if isinstance(name, str) and name in _CONSTANTS else constants()
    if not isinstance(name, str) or name not in known:
        raise unknown_name("constant", str(name), known, next_command="braggbook show constants")
    return known[name]


def constants_version() -> str:
    """Returns the version of the court: a digest of every name, unit, value and source."""
    court = [
        [c.name, c.unit, c.ruling, [[s.key, s.citation, v] for s, v in c.readings.items()]]
        for c in constants().values()
    ]
    text = json.dumps(court, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_VERSION_DIGITS]


def constants_read() -> dict[str, float]:
    """Returns the constants whose value was read since this process began, with the value last read, sorted."""
    return dict(sorted(_READ.items()))


@contextmanager
def taking(sources: Mapping[str, str] | None) -> Iterator[None]:
    """Inside, each named constant has the value of the source that has this key.

    Raises:
        UnknownName: There is no constant of such a name.
        ScienceError: ``sources`` is no mapping of a constant's name to a source's key.
    """
    chosen = dict(_mapping({} if sources is None else sources, "a choice of sources", '{"model.constant": "source"}'))
    for name in chosen:
        find_constant(name)
    token = _TAKEN.set({**_TAKEN.get(), **chosen})
    try:
        yield
    finally:
        _TAKEN.reset(token)


@contextmanager
def supposing(values: Mapping[str, float]) -> Iterator[None]:
    """Inside, each named constant has the given value: for what-if questions only.

    Raises:
        UnknownName: There is no constant of such a name.
        ScienceError: A value is not finite.
    """
    token = _SUPPOSED.set({**_SUPPOSED.get(), **_checked(values)})
    try:
        yield
    finally:
        _SUPPOSED.reset(token)


def suppose(values: Mapping[str, float]) -> None:
    """From now on, in this whole process, each named constant has the given value; an empty mapping ends it.

    Raises:
        UnknownName: There is no constant of such a name.
        ScienceError: A value is not finite.
    """
    checked = _checked(values)
    if not checked:
        _SUPPOSED_EVERYWHERE.clear()
    _SUPPOSED_EVERYWHERE.update(checked)


def _mapping(given: Mapping[str, _T], what: str, wanted: str) -> Mapping[str, _T]:
    if not (isinstance(given, Mapping) and all(isinstance(name, str) for name in given)):
        raise ScienceError(f"not {what}", wanted=wanted, got=repr(given)[:60])
    return given


def _checked(values: Mapping[str, float]) -> dict[str, float]:
    for name, value in _mapping(values, "values to suppose", '{"model.constant": number}').items():
        find_constant(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ScienceError("not a constant's value", where=name, wanted="a finite number", got=repr(value))
    return dict(values)
