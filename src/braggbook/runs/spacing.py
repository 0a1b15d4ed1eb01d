"""Numbers between two ends: evenly, by ratio, by steps, or spread over several dimensions at once.

Everything is reckoned exactly and rounded once, so that the same text gives the same values, and the same runs, on
every machine: ``0:1:step0.1`` holds 0.3 and not 0.30000000000000004. No number is made before it is asked for.
"""

from __future__ import annotations

import decimal
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_LONGEST_NUMBER = 400  # characters; what is longer is no float
_HIT = Fraction(1, 10**9)  # of a step, for ends whose last digits were rounded, as in 0:1:step0.333333333333
_CONTEXT = decimal.Context(prec=50)  # 30 digits more than a float has, so that rounding to one is right
_EXACT = Decimal("1e-30")  # relative; a power that is this near to a whole number is one
_LARGEST_WHOLE = 10**18  # of a power; above it too few of the 50 digits stand behind the point


def read_decimal(text: str) -> Decimal | None:
    """Returns the number that a text is, if it is of a size that a float may have."""
    if len(text) > _LONGEST_NUMBER or re.fullmatch(NUMBER, text) is None or not math.isfinite(float(text)):
        return None
    if float(text) == 0:
        return None if re.search("[1-9]", re.split("[eE]", text)[0]) else Decimal(0)
    return Decimal(text)


def linear(start: Decimal, stop: Decimal, *, count: int) -> Iterator[int | float]:
    """Gives ``count`` numbers at equal distances, both ends included; whole ones as ``int``."""
    low, high, last = Fraction(start), Fraction(stop), count - 1
    first, final = low.numerator * high.denominator, high.numerator * low.denominator
    for index in range(count):
        yield _quotient(first * (last - index) + final * index, low.denominator * high.denominator * last)


def logarithmic(start: Decimal, stop: Decimal, *, count: int) -> Iterator[int | float]:
    """Gives ``count`` numbers at equal ratios between two ends of one sign, both included."""
    yield _quotient(*start.as_integer_ratio())
    for index in range(1, count - 1):
        yield between(start, stop, part=_CONTEXT.divide(Decimal(index), Decimal(count - 1)))
    yield _quotient(*stop.as_integer_ratio())


def step_count(start: Decimal, stop: Decimal, *, step: Decimal) -> int:
    """Returns how many numbers :func:`stepped` gives; 0 or less where the step leads away from ``stop``."""
    return math.floor((Fraction(stop) - Fraction(start)) / Fraction(step) + _HIT) + 1


def stepped(start: Decimal, stop: Decimal, *, step: Decimal) -> Iterator[int | float]:
    """Gives the numbers from ``start`` by ``step``; the last is ``stop`` itself where a step ends there."""
    low, high, by = Fraction(start), Fraction(stop), Fraction(step)
    last = step_count(start, stop, step=step) - 1
    end = high if abs((high - low) / by - last) <= _HIT else low + last * by
    for index in range(last):
        value = low + index * by
        yield _quotient(value.numerator, value.denominator)
    yield _quotient(end.numerator, end.denominator)


def between(low: Decimal, high: Decimal, *, part: Decimal) -> int | float:
    """Returns ``low * (high / low) ** part`` for two ends of one sign, rounded once; an ``int`` where it is whole."""
    first, last = _CONTEXT.ln(low.copy_abs()), _CONTEXT.ln(high.copy_abs())
    power = _CONTEXT.exp(_CONTEXT.fma(_CONTEXT.subtract(last, first), part, first))
    value = power.copy_sign(low)
    if power >= _LARGEST_WHOLE:
        return float(value)
    whole = value.to_integral_value(context=_CONTEXT)
    distance = _CONTEXT.subtract(value, whole).copy_abs()
    return int(whole) if distance <= _CONTEXT.multiply(_EXACT, power) else float(value)


def _quotient(numerator: int, denominator: int) -> int | float:
    """Returns the whole number, or the float nearest to the fraction, which is the one that people write shortest."""
    whole, rest = divmod(numerator, denominator)
    return numerator / denominator if rest else whole


@dataclass(frozen=True)
class Interval:
    """What a Latin hypercube is spread over in one dimension; ``low < high``, of one sign where it is logarithmic."""

    low: int | float
    high: int | float
    log: bool = False
    whole: bool = False  # whole numbers only

    def at(self, part: float) -> int | float:
        """Returns the number at a part of the way, from 0 to below 1; each whole number has an equal share of it.

        By logarithms, the share of a whole number n is that of the interval from n to n + 1.
        """
        if self.log and self.high < 0:
            return -Interval(-self.high, -self.low, log=True, whole=self.whole).at(part)
        high = self.high + 1 if self.whole else self.high
        if self.log:
            value = between(Decimal(self.low), Decimal(high), part=Decimal(part))
        else:
            value = self.low * (1 - part) + high * part
        value = math.floor(value) if self.whole else float(value)
        return min(max(value, self.low), self.high)


def latin_hypercube(intervals: Sequence[Interval], *, points: int, seed: int) -> list[list[int | float]]:
    """Returns the values of each dimension: one from each of ``points`` equal parts of it, in an order by chance.

    Source: McKay, Beckman and Conover 1979, Technometrics 21:239, https://doi.org/10.2307/1268522.
    """
    import numpy as np  # noqa: PLC0415 - a sweep without a hypercube needs neither
    from scipy.stats import qmc  # noqa: PLC0415 - it takes a second

    sampler = qmc.LatinHypercube(d=len(intervals), rng=np.random.default_rng(seed))
    columns = sampler.random(points).T.tolist()
    return [[one.at(part) for part in parts] for one, parts in zip(intervals, columns, strict=True)]
