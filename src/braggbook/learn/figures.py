"""Questions whose answer is a figure: judged by the data in its axes, never by its pixels."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import combinations
from typing import Any, Literal

from braggbook.errors import BraggbookError
from braggbook.learn.answers import kind_of, plain
from braggbook.learn.base import Asked, Question, Slip, short, value_of
from braggbook.learn.counting import looked_at
from braggbook.learn.verdict import Verdict, right, wrong
from braggbook.units import parse_unit

Curve = tuple[list[float], list[float]]
Line = tuple[str, Curve]  # its label, as the legend has it, and its points
Curves = Mapping[str, tuple[Any, Any]]
_COVERED = 0.9  # of the expected range in x; a curve may begin a step later
_EMPTY = "empty axes"
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
        axes = looked_at(lambda: _axes_of(answer))
        if isinstance(axes, Verdict):
            return axes
        verdicts = [self._judge_axes(each) for each in axes]
        good = next((verdict for verdict in verdicts if verdict), None)
        # beside an empty one (an inset, a colour bar) the one that was drawn into has more to say
        return good or next((verdict for verdict in verdicts if verdict.slip != _EMPTY), verdicts[0])

    def _judge_axes(self, axes: Any) -> Verdict:
        known = type(axes).__module__.startswith("matplotlib.")  # a figure may have very many points
        lines = _lines(axes) if known else looked_at(lambda: _lines(axes))
        if not lines:
            return wrong("There is no curve and no point in the axes: is this the figure that was drawn?", _EMPTY)
        found = (self._data([curve for _, curve in lines]), self._labels(lines), *(self._axis(axes, a) for a in "xy"))
        return next((verdict for verdict in found if verdict is not None), right(self.because))

    def _labels(self, lines: list[Line]) -> Verdict | None:
        """Returns the verdict on a curve that is labelled as another one; how a label is worded does not matter."""
        wanted = _curves(self.curves)
        for label, drawn in lines:
            follows = [name for name, curve in wanted.items() if self._among([drawn], curve)]
            named = [name for name in wanted if _names(label, name)]
            if len(follows) == len(named) == 1 and follows != named:
                return wrong(
                    f"The labels are exchanged: the curve that is labelled {short(label)!r} is another one.",
                    "labels exchanged",
                )
        return None

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
        turned = [c for x, y in drawn if (c := _points(y, x)) is not None]
        covered = any(_covers(x, y, curve) for x, y in drawn)
        if self._among(turned, curve) or (not covered and any(_runs_as(c, curve) for c in turned)):
            return wrong("The axes are exchanged: what belongs on x is on y.", "axes exchanged")
        if covered:
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
        f"This is of type {kind_of(answer)}; the question asks for a figure or its axes, as from "
        "`figure, axes = plt.subplots()`.",
        "not a figure",
    )


def _lines(axes: Any) -> list[Line]:
    artists = [*axes.get_lines(), *getattr(axes, "collections", ())]
    labels = _labels_of(axes, artists)
    found = [(label, _points_of(artist)) for label, artist in zip(labels, artists, strict=True)]
    return [(label, curve) for label, curve in found if curve is not None and curve[0]]


def _points_of(artist: Any) -> Curve | None:
    if hasattr(artist, "get_xdata"):
        return _points(artist.get_xdata(), artist.get_ydata())
    offsets = plain(getattr(artist, "get_offsets", list)())
    return _points([o[0] for o in offsets], [o[1] for o in offsets]) if offsets else None


def _labels_of(axes: Any, artists: Sequence[Any]) -> list[str]:
    """Returns each artist's label; those without one have the legend's texts in order: `axes.legend(["a", "b"])`."""
    labels = [str(artist.get_label()) for artist in artists]
    unnamed = [place for place, label in enumerate(labels) if label.startswith("_")]  # as matplotlib marks them
    legend = getattr(axes, "get_legend", lambda: None)()
    texts = [text.get_text() for text in legend.get_texts()] if legend is not None else []
    if len(unnamed) == len(labels) and len(texts) <= len(unnamed):
        for place, text in zip(unnamed, texts, strict=False):
            labels[place] = text
    return ["" if label.startswith("_") else label for label in labels]


def _names(label: str, name: str) -> bool:
    """Returns whether a label holds the name of a curve as words of its own: "CAL 33, measured" holds "cal 33"."""
    folded = re.escape(" ".join(name.split()).casefold())
    return re.search(rf"(?<![\w.]){folded}(?!\w)", " ".join(label.split()).casefold()) is not None


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


def _runs_as(curve: Curve, wanted: Curve) -> bool:
    """Returns whether points run along x as the wanted ones do, with y in their range: a turned curve with a slip."""
    low, high = min(wanted[1]), max(wanted[1])
    x, y = curve
    overlap = min(x[-1], wanted[0][-1]) - max(x[0], wanted[0][0])
    union = max(x[-1], wanted[0][-1]) - min(x[0], wanted[0][0])
    return len(x) >= _FEWEST and overlap >= _COVERED * union > 0 and low <= min(y) <= max(y) <= high


def _between(wanted: Curve, at: float, *, log: bool) -> float | None:
    """Returns the curve's value at ``at``, interpolated (in the logarithm on a log axis), None outside of it."""
    xs, ys = wanted
    if not xs[0] <= at <= xs[-1]:
        return None
    right_of = bisect_left(xs, at)
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
