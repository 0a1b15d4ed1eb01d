"""Questions whose answer is a figure: judged by the data in its axes, never by its pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import combinations
from typing import Any, Literal

from braggbook.errors import BraggbookError
from braggbook.learn.answers import plain
from braggbook.learn.base import Asked, Question, Slip, value_of
from braggbook.learn.verdict import Verdict, right, wrong
from braggbook.units import parse_unit

Curve = tuple[list[float], list[float]]
Curves = Mapping[str, tuple[Any, Any]]
_COVERED = 0.9  # of the expected range in x; a curve may begin a step later
_FEWEST = 3  # points that a drawn curve has in that range


@dataclass(frozen=True)
class Figure(Question):
    """A question whose answer is a figure, or its axes.

    Attributes:
        curves: Label to (x, y) of each curve that must be there, or a function without arguments that gives them.
            Curves are compared at the student's own x values, so that a finer or coarser grid is as good.
        x_unit: Unit that the label of the x axis names; "" when it names none.
        y_unit: The same of the y axis.
        x_scale: ``linear`` or ``log``, "" when it does not matter.
        y_scale: The same of the y axis.
        rtol: Relative tolerance of y.
        atol: Absolute tolerance of y.
        slips: Wrong curves, as ``curves``.
    """

    _: KW_ONLY
    curves: Curves | Callable[[], Curves]
    x_unit: str = ""
    y_unit: str = ""
    x_scale: Literal["linear", "log", ""] = ""
    y_scale: Literal["linear", "log", ""] = ""
    rtol: float = 0.02
    atol: float = 0.0
    slips: tuple[Slip, ...] = ()

    def judge(self, answer: Any, asked: Asked) -> Verdict:  # noqa: ARG002 - the axes have their units
        """Returns the verdict on a figure."""
        axes = _axes_of(answer)
        if isinstance(axes, Verdict):
            return axes
        verdicts = [self._judge_axes(each) for each in axes]
        return next((v for v in verdicts if v), verdicts[0])

    def _judge_axes(self, axes: Any) -> Verdict:
        drawn = _drawn(axes)
        if not drawn:
            return wrong("There is no curve and no point in the axes: is this the figure that was drawn?", "empty axes")
        found = (self._data(drawn), self._axis(axes, "x"), self._axis(axes, "y"))
        return next((verdict for verdict in found if verdict is not None), right(self.because))

    def _data(self, drawn: list[Curve]) -> Verdict | None:
        wanted = _curves(self.curves)
        absent = [label for label, curve in wanted.items() if not self._among(drawn, curve)]
        if not absent:
            return None
        found = [slip for slip in self.slips if all(self._among(drawn, c) for c in _curves(slip.value).values())]
        if found:
            slip = max(found, key=lambda each: len(_curves(each.value)))  # "one curve is missing" fits many figures
            return wrong(slip.says, slip.label)
        curve = wanted[absent[0]]
        if self._among([c for x, y in drawn if (c := _points(y, x)) is not None], curve):
            return wrong("The axes are exchanged: what belongs on x is on y.", "axes exchanged")
        if any(_covers(x, y, curve) for x, y in drawn):
            return wrong(
                f"The curve {absent[0]!r} is not there: a curve over this range has other values.", "other curve"
            )
        return wrong(
            f"The curve {absent[0]!r} is not there: nothing drawn covers the range that the question asks for with at "
            f"least {_FEWEST} points.",
            "other range",
        )

    def _all_among(self, curves: dict[str, Curve], others: dict[str, Curve]) -> bool:
        return all(self._among(list(others.values()), curve) for curve in curves.values())

    def _among(self, drawn: list[Curve], wanted: Curve) -> bool:
        return any(_covers(x, y, wanted) and self._follows(x, y, wanted) for x, y in drawn)

    def _follows(self, x: list[float], y: list[float], wanted: Curve) -> bool:
        log = self.y_scale == "log"
        for at, value in zip(x, y, strict=True):
            expected = _between(wanted, at, log=log)
            if expected is not None and not abs(value - expected) <= self.atol + self.rtol * abs(expected):
                return False
        return True

    def _axis(self, axes: Any, name: str) -> Verdict | None:
        unit, scale = getattr(self, f"{name}_unit"), getattr(self, f"{name}_scale")
        label = str(getattr(axes, f"get_{name}label")())
        if not label.strip():
            return wrong(f"The {name} axis has no label.", f"no {name} label")
        if unit and not _names_unit(label, unit):
            return wrong(
                f'The label of the {name} axis does not name its unit: wanted {unit}, as in "… ({unit})".',
                f"no unit on {name}",
            )
        have = getattr(axes, f"get_{name}scale")()
        if scale and have != scale:
            return wrong(f"The {name} axis is {have}; the question asks for a {scale} one.", f"{name} axis {have}")
        return None

    def faults(self) -> Iterator[str]:
        """Yields what is wrong with the question itself."""
        yield from super().faults()
        for unit in filter(None, (self.x_unit, self.y_unit)):
            try:
                parse_unit(unit)
            except BraggbookError as error:
                yield f"unit: {error}"
        sources = [("curves", self.curves), *((f"slip {slip.label!r}", slip.value) for slip in self.slips)]
        known: list[tuple[str, dict[str, Curve]]] = []
        for name, source in sources:
            try:
                known.append((name, _curves(source)))
            except Exception as error:
                yield f"{name} cannot be worked out: {type(error).__name__}: {error}"
        for (first, one), (second, other) in combinations(known, 2):
            if self._all_among(one, other) and self._all_among(other, one):
                yield f"{second} has the same curves as {first} (within the tolerance)"


def _curves(source: Any) -> dict[str, Curve]:
    found: dict[str, Curve] = {}
    for label, (x, y) in value_of(source).items():
        points = _points(x, y)
        if points is None or len(points[0]) < _FEWEST:
            raise ValueError(f"curve {label!r}: wanted two lists of the same length, at least {_FEWEST} finite numbers")
        found[str(label)] = points
    if not found:
        raise ValueError("no curve")
    return found


def _axes_of(answer: Any) -> list[Any] | Verdict:
    if isinstance(answer, (list, tuple)) and answer and hasattr(answer[0], "axes"):
        answer = answer[0]  # what plt.plot returns
    if callable(getattr(answer, "get_lines", None)) and hasattr(answer, "get_xlabel"):
        return [answer]
    axes = getattr(answer, "axes", None)
    if isinstance(axes, (list, tuple)) and axes:
        return list(axes)
    if hasattr(axes, "get_xlabel"):
        return [axes]
    if isinstance(axes, (list, tuple)):
        return wrong(
            "The figure has no axes: draw into it first, or hand in the figure that was drawn.", "empty figure"
        )
    return wrong(
        f"This is of type {type(answer).__name__}; the question asks for a figure or its axes, as from "
        "`figure, axes = plt.subplots()`.",
        "not a figure",
    )


def _drawn(axes: Any) -> list[Curve]:
    found = [_points(line.get_xdata(), line.get_ydata()) for line in axes.get_lines()]
    for collection in getattr(axes, "collections", ()):
        offsets = plain(getattr(collection, "get_offsets", list)())
        if offsets:
            found.append(_points([o[0] for o in offsets], [o[1] for o in offsets]))
    return [curve for curve in found if curve is not None and curve[0]]


def _points(x: Any, y: Any) -> Curve | None:
    try:
        pairs = list(zip(plain(x), plain(y), strict=True))
    except (TypeError, ValueError):
        return None
    pairs = sorted((a, b) for a, b in pairs if isinstance(a, float) and isinstance(b, float) and math.isfinite(a + b))
    return [a for a, _ in pairs], [b for _, b in pairs]


def _covers(x: Sequence[float], y: Sequence[float], wanted: Curve) -> bool:  # noqa: ARG001 - a curve is two lists
    low, high = wanted[0][0], wanted[0][-1]
    inside = [at for at in x if low <= at <= high]
    return len(inside) >= _FEWEST and inside[-1] - inside[0] >= _COVERED * (high - low)


def _between(wanted: Curve, at: float, *, log: bool) -> float | None:
    """Returns the curve's value at ``at``, interpolated (in the logarithm on a log axis), None outside of it."""
    xs, ys = wanted
    if not xs[0] <= at <= xs[-1]:
        return None
    right_of = next(place for place, x in enumerate(xs) if x >= at)
    if xs[right_of] == at:
        return ys[right_of]
    x0, x1, y0, y1 = xs[right_of - 1], xs[right_of], ys[right_of - 1], ys[right_of]
    part = (at - x0) / (x1 - x0)
    if log and y0 > 0 and y1 > 0:
        return math.exp(math.log(y0) + part * (math.log(y1) - math.log(y0)))
    return y0 + part * (y1 - y0)


_SPELLINGS: dict[str, str | int | None] = {"µ": "u", "μ": "u", "²": "2", "³": "3", "−": "-", "⁻": "-", "¹": "1"}
_LATEX: dict[str, str | int | None] = dict.fromkeys(" $^{}\\", "")


def _names_unit(label: str, unit: str) -> bool:
    """Returns whether a label names a unit, however it writes powers and micro; a pure number needs none."""
    if unit == "1":
        return True
    folded = label.replace("\\mu", "u").translate(str.maketrans(_SPELLINGS)).translate(str.maketrans(_LATEX))
    spellings = {unit.replace(" ", "")}
    if unit.startswith("1/"):
        spellings |= {f"{unit[2:]}-1", f"per{unit[2:]}"}
    return any(spelling in folded for spelling in spellings)
