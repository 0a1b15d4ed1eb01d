"""Questions whose answer is a number, or a list of numbers, with a unit and a tolerance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import combinations
from typing import Any

from braggbook.errors import BraggbookError
from braggbook.learn.answers import Numbers, read_number, read_values
from braggbook.learn.base import Asked, Question, Slip, value_of
from braggbook.learn.generic import all_near, recognise
from braggbook.learn.verdict import Verdict, right, wrong
from braggbook.units import conversion_factor, parse_unit, same_dimension

_ROUNDED = 10  # times the tolerance: a number that far off was most likely rounded on the way


def factor_to(wanted: str, given: str | None) -> float | Verdict:
    """Returns what an answer is multiplied by to be in the unit wanted, or the verdict on a unit that cannot be."""
    if given is None:
        return 1.0
    try:
        if not same_dimension(given, wanted):
            return wrong(f"{given} measures another quantity; asked is {asked_unit(wanted)}.", "other quantity")
        return conversion_factor(given, wanted)
    except BraggbookError as error:
        return wrong(f"The unit was not understood: {error.what}. Wanted is for example {wanted}.", "unknown unit")


def asked_unit(unit: str) -> str:
    """Returns a unit as messages name it."""
    return "a pure number" if unit == "1" else unit


def in_unit(unit: str) -> str:
    """Returns a unit as it follows a value."""
    return asked_unit(unit) if unit == "1" else f"in {unit}"


@dataclass(frozen=True)
class _Quantity(Question):
    _: KW_ONLY
    expected: Any
    unit: str = "1"
    rtol: float = 0.01
    atol: float = 0.0
    slips: tuple[Slip, ...] = ()

    def _read(self, answer: Any) -> Numbers | Verdict:
        raise NotImplementedError

    def judge(self, answer: Any, asked: Asked) -> Verdict:
        """Returns the verdict on an answer."""
        read = self._read(answer)
        if isinstance(read, Verdict):
            return read
        unit = asked.unit if asked.unit is not None else read.unit
        factor = factor_to(self.unit, unit)
        if isinstance(factor, Verdict):
            return factor
        expected = self._numbers(self.expected)
        if (verdict := self._other_shape(read, expected)) is not None:
            return verdict
        flat = [number * factor for number in read.flat]
        if self._same(flat, expected.flat):
            return right(self.because)
        for slip in self.slips:
            if self._same(flat, self._numbers(slip.value).flat):
                return wrong(slip.says, slip.label)
        found = recognise(flat, expected.flat, unit=self.unit, given=unit is not None, rtol=self.rtol)
        return self._off(flat, expected.flat) if found is None else found

    def _same(self, answer: Sequence[float], expected: Sequence[float]) -> bool:
        return all_near(answer, expected, rtol=self.rtol, atol=self.atol)

    def _numbers(self, source: Any) -> Numbers:
        read = self._read(value_of(source))
        if isinstance(read, Verdict):
            raise ValueError(read.message)
        return read

    def _other_shape(self, read: Numbers, expected: Numbers) -> Verdict | None:
        raise NotImplementedError

    def _off(self, answer: list[float], expected: tuple[float, ...]) -> Verdict:
        raise NotImplementedError

    def _tolerance(self) -> str:
        parts = [f"{100 * self.rtol:g} %"] if self.rtol else []
        parts += [f"{self.atol:g} {self.unit}".removesuffix(" 1")] if self.atol else []
        return " + ".join(parts) or "0"

    def faults(self) -> Iterator[str]:
        """Yields what is wrong with the question itself."""
        yield from super().faults()
        try:
            parse_unit(self.unit)
        except BraggbookError as error:
            yield f"unit: {error}"
            return
        if not 0 <= self.rtol < 1 or self.atol < 0:
            yield f"tolerance: wanted 0 <= rtol < 1 and atol >= 0, got rtol {self.rtol} and atol {self.atol}"
        values: list[tuple[str, Numbers]] = []
        for name, source in (("expected", self.expected), *((f"slip {s.label!r}", s.value) for s in self.slips)):
            try:
                values.append((name, self._numbers(source)))
            except Exception as error:
                yield f"{name} cannot be worked out: {type(error).__name__}: {error}"
        for (first, one), (second, other) in combinations(values, 2):
            if one.shape == other.shape and (self._same(one.flat, other.flat) or self._same(other.flat, one.flat)):
                yield f"{second} has the same value as {first} (within {self._tolerance()})"


@dataclass(frozen=True)
class Number(_Quantity):
    """A question whose answer is one number.

    Attributes:
        expected: The right value in ``unit``, or a function without arguments that gives it.
        unit: What the question asks for; an answer may be given in another one: ``check("q1", 200, unit="cGy")``.
        rtol: Relative tolerance.
        atol: Absolute tolerance, in ``unit``; added to the relative one.
        slips: Wrong values that one can come to; they win over the generic ones.
    """

    def _read(self, answer: Any) -> Numbers | Verdict:
        return read_number(answer)

    def _other_shape(self, read: Numbers, expected: Numbers) -> None:  # noqa: ARG002 - one number has no shape
        return None

    def _off(self, answer: list[float], expected: tuple[float, ...]) -> Verdict:
        if all_near(answer, expected, rtol=_ROUNDED * self.rtol, atol=_ROUNDED * self.atol):
            return wrong(
                f"Close, but not within {self._tolerance()}: keep all digits of what you calculate with, and round "
                "only at the end.",
                "rounded too early",
            )
        return wrong(f"Not within {self._tolerance()} of the value asked for, {in_unit(self.unit)}.")


@dataclass(frozen=True)
class Values(_Quantity):
    """A question whose answer is a list or an array of numbers, compared one by one.

    Attributes are those of :class:`Number`; ``expected`` is a sequence, or nested ones, or a function that gives them.
    """

    def _read(self, answer: Any) -> Numbers | Verdict:
        return read_values(answer)

    def _other_shape(self, read: Numbers, expected: Numbers) -> Verdict | None:
        if read.shape == expected.shape:
            return None
        got, want = (" x ".join(map(str, shape)) for shape in (read.shape, expected.shape))
        if len(read.shape) == len(expected.shape) > 1 and read.shape == expected.shape[::-1]:
            return wrong(
                f"The shape is {got}, the question asks for {want}: rows and columns are exchanged.", "transposed"
            )
        return wrong(f"The answer has {got} numbers, the question asks for {want}.", "number of values")

    def _off(self, answer: list[float], expected: tuple[float, ...]) -> Verdict:
        if self._same(answer[::-1], expected):
            return wrong("These are the right values in reverse order.", "reverse order")
        if self._same(sorted(answer), sorted(expected)):
            return wrong("These are the right values in another order.", "other order")
        good = [self._same([a], [e]) for a, e in zip(answer, expected, strict=True)]
        place = good.index(False)
        return wrong(
            f"{sum(good)} of {len(good)} values are within {self._tolerance()}, {in_unit(self.unit)}; the first "
            f"that is not stands at place {place} (counted from 0)."
        )
