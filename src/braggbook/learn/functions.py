"""Questions whose answer is a function: it is called on fresh random inputs, in a child."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import combinations
from typing import Any

from braggbook.errors import BraggbookError
from braggbook.learn.answers import Numbers, kind_of, plain, read_plain, shown
from braggbook.learn.base import Asked, Question, Slip, short
from braggbook.learn.calling import call
from braggbook.learn.calls import Limits, Outcome, Work
from braggbook.learn.counting import OddError, looked_at
from braggbook.learn.generic import all_near, recognise
from braggbook.learn.numbers import factor_to
from braggbook.learn.verdict import Verdict, right, unanswered, wrong
from braggbook.units import parse_unit

_LONGEST_NAME = 60  # of a function, where it is repeated in a message
_FIXED_SEED = 20261123  # when a lesson is loaded, it is judged on the same inputs every time


@dataclass(frozen=True)
class Invariant:
    """What holds for every right function, such as that survival does not rise with dose.

    Attributes:
        says: What does not hold; names the physics, not the formula.
        holds: Is given the student's function and a random generator, in the child.
        name: Short name for the lecturer's table.
    """

    says: str
    _: KW_ONLY
    holds: Callable[[Callable[..., Any], random.Random], bool]
    name: str = ""


@dataclass(frozen=True)
class Function(Question):
    """A question whose answer is a function.

    Attributes:
        reference: The right function; it is called with the same keyword arguments.
        draw: Makes keyword arguments from a random generator.
        cases: How many inputs.
        unit: Of what the function returns.
        slips: Functions with a wrong formula.
        invariants: What holds for every right function.
        limit_s: Processor time of all calls together; of waiting, four times that.
        limit_mb: Memory beyond what the kernel has.
        limit_steps: Lines that may be executed where there are no processes (in the browser).
    """

    _: KW_ONLY
    reference: Callable[..., Any]
    draw: Callable[[random.Random], Mapping[str, Any]]
    cases: int = 5
    unit: str = "1"
    rtol: float = 1e-6
    atol: float = 1e-12
    slips: tuple[Slip, ...] = ()
    invariants: tuple[Invariant, ...] = ()
    limit_s: float = 5.0
    limit_mb: int = 512
    limit_steps: int = 2_000_000

    def judge(self, answer: Any, asked: Asked) -> Verdict:
        """Returns the verdict on a function."""
        if not callable(answer):
            return wrong(
                f"This is of type {kind_of(answer)}; the question asks for the function itself, without "
                f'brackets: bb.learn.check("{self.id}", f), not f(...).',
                "value instead of the function",
            )
        factor = factor_to(self.unit, asked.unit)
        if isinstance(factor, Verdict):
            return factor
        seed = random.SystemRandom().randrange(1_000_000) if asked.seed is None else asked.seed
        case = _Case(self, answer, seed, self._drawn(seed))
        limits = Limits(self.limit_s, self.limit_mb, self.limit_steps)
        work = Work(case.drawn, [each.holds for each in self.invariants], seed)
        outcomes = call(answer, work, limits, lesson=f"{asked.lesson}:{self.id}")
        return _judged(case, outcomes, factor=factor, given=asked.unit is not None)

    def _drawn(self, seed: int) -> list[dict[str, Any]]:
        generator = random.Random(seed)  # noqa: S311 - exercises, no secrets
        return [dict(self.draw(generator)) for _ in range(self.cases)]

    def same(self, one: Sequence[float], other: Sequence[float]) -> bool:
        """Returns whether values agree within the tolerance."""
        return all_near(one, other, rtol=self.rtol, atol=self.atol)

    def advice(self, slip: str) -> str:
        """Returns what to say about a slip by its name, "" when the question does not list it."""
        broken = (each.says for each in self.invariants if slip == (each.name or short(each.says)))
        return super().advice(slip) or next(broken, "")

    def faults(self) -> Iterator[str]:
        """Yields what is wrong with the question itself."""
        yield from super().faults()
        try:
            parse_unit(self.unit)
        except BraggbookError as error:
            yield f"unit: {error}"
        if self.cases < 1:
            yield f"cases: wanted at least 1, got {self.cases}"
            return
        try:
            drawn = self._drawn(_FIXED_SEED)
        except Exception as error:
            yield f"draw: {type(error).__name__}: {error}"
            return
        yield from self._value_faults(drawn)
        for place, invariant in enumerate(self.invariants):
            try:
                holds = invariant.holds(self.reference, random.Random(_FIXED_SEED + place))  # noqa: S311 - the same
            except Exception as error:
                yield f"invariant {short(invariant.says)!r}: {type(error).__name__}: {error}"
                continue
            if not holds:
                yield f"invariant {short(invariant.says)!r} does not hold for the reference"

    def _value_faults(self, drawn: list[dict[str, Any]]) -> Iterator[str]:
        known: list[tuple[str, list[float]]] = []
        for name, function in (("reference", self.reference), *((f"slip {s.label!r}", s.value) for s in self.slips)):
            try:
                known.append((name, _flat(_numbers(function, drawn))))
            except Exception as error:
                yield f"{name}: {type(error).__name__}: {error}"
        for (first, one), (second, other) in combinations(known, 2):
            if self.same(one, other) or self.same(other, one):
                yield f"{second} has the same values as {first} (within the tolerance)"


@dataclass(frozen=True)
class _Case:
    """One check: the question, the student's function, and what it is called with."""

    question: Function
    function: Callable[..., Any]
    seed: int
    drawn: list[dict[str, Any]]

    def inputs(self, place: int) -> str:
        """The arguments of one call, as text."""
        if place >= len(self.drawn):
            return "other random inputs"
        return ", ".join(f"{name}={_shown(value)}" for name, value in self.drawn[place].items())

    @property
    def again(self) -> str:
        """How to repeat the check with the same inputs."""
        try:
            name = looked_at(lambda: getattr(self.function, "__name__", "f"))
        except OddError:
            name = "f"
        name = name if type(name) is str and name.isidentifier() and len(name) < _LONGEST_NAME else "f"
        return f'The same inputs again: bb.learn.check("{self.question.id}", {name}, seed={self.seed})'


def _judged(case: _Case, outcomes: Sequence[Outcome], *, factor: float, given: bool) -> Verdict:
    question = case.question
    returned = outcomes[: len(case.drawn)]
    if returned and all(outcome.kind == "blank" for outcome in returned):
        return unanswered(question.missing())
    for place, outcome in enumerate(outcomes):
        if outcome.kind not in ("value", "holds", "broken"):
            return _failed(case, place, outcome)
    wanted = _numbers(question.reference, case.drawn)
    got = _read(case, returned, wanted)
    if isinstance(got, Verdict):
        return got
    verdict = _compared(case, [factor * number for number in _flat(got)], _flat(wanted), given=given)
    if verdict is not None and verdict.slip:
        return verdict
    if (broken := _broken(case, outcomes[len(case.drawn) :])) is not None:
        return broken
    if verdict is None:
        return right(question.because)
    place = _first_off(question, got, wanted, factor)
    text = f"With {case.inputs(place)} the function gives {returned[place].shown}, which is not right."
    return wrong(f"{text}\n{case.again}")


def _read(case: _Case, returned: Sequence[Outcome], wanted: Sequence[Numbers]) -> list[Numbers] | Verdict:
    got = []
    for place, (outcome, want) in enumerate(zip(returned, wanted, strict=True)):
        have = read_plain(outcome.value)
        if isinstance(have, Verdict):
            return wrong(f"With {case.inputs(place)}: {have.message}\n{case.again}", have.slip)
        if have.shape != want.shape:
            return _other_shape(case, place, have, want)
        got.append(have)
    return got


def _broken(case: _Case, outcomes: Sequence[Outcome]) -> Verdict | None:
    for invariant, outcome in zip(case.question.invariants, outcomes, strict=True):
        if outcome.kind == "broken":
            error = f" ({outcome.shown})" if outcome.shown else ""
            return wrong(f"{invariant.says}{error}\n{case.again}", invariant.name or short(invariant.says))
    return None


def _compared(case: _Case, got: list[float], wanted: list[float], *, given: bool) -> Verdict | None:
    question = case.question
    if question.same(got, wanted):
        return None
    for slip in question.slips:
        if question.same(got, _flat(_numbers(slip.value, case.drawn))):
            return wrong(slip.says, slip.label)
    found = recognise(got, wanted, unit=question.unit, given=given, rtol=question.rtol)
    return wrong("") if found is None else found


def _first_off(question: Function, got: Sequence[Numbers], wanted: Sequence[Numbers], factor: float) -> int:
    pairs = zip(got, wanted, strict=True)
    good = [question.same([factor * number for number in have.flat], want.flat) for have, want in pairs]
    return good.index(False)


def _other_shape(case: _Case, place: int, have: Numbers, want: Numbers) -> Verdict:
    def words(shape: tuple[int, ...]) -> str:
        return "an array of " + " x ".join(map(str, shape)) if shape else "one number"

    text = f"With {case.inputs(place)} the function gives {words(have.shape)}; asked is {words(want.shape)}."
    return wrong(f"{text}\n{case.again}", "shape")


_LOOP = "had not come to its end after {limit}, and was stopped: is there a loop whose condition stays true?"
# By the kind of outcome: what is said of the function, and the name of the slip
_FAILURES = {
    "none": ("gives None: does it `return` its value?", "no return"),
    "blank": ("gives `...`: a part of it is still to be written.", "partly written"),
    "other": ("gives no number but {shown}.", "no number"),
    "raised": ("stops with {shown}{line}.", "error"),
    "time": (_LOOP.replace("{limit}", "{question.limit_s:g} s"), "endless loop"),
    "steps": (_LOOP.replace("{limit}", "{question.limit_steps} lines"), "endless loop"),
    "memory": (
        "asks for more than {question.limit_mb} MB of memory, and was stopped: does a list grow without end?",
        "memory",
    ),
    "died": ("ends the process in which it runs ({shown}). Your notebook is not harmed.", "process ended"),
    "large": ("gives far more than is asked for.", "too large"),
    "processes": ("starts process after process, and was stopped with all of them.", "too many processes"),
}


def _failed(case: _Case, place: int, outcome: Outcome) -> Verdict:
    if outcome.kind == "source":
        return wrong(f"On this system the function is checked by its source: {outcome.shown}.", "no source")
    if outcome.kind == "signature":
        names = ", ".join(case.drawn[0])
        return wrong(f"The function takes {outcome.shown}; it is called with ({names}), by these names.", "arguments")
    line = f", in the line `{outcome.line}`" if outcome.line else ""
    says, slip = _FAILURES[outcome.kind]
    text = says.format(shown=outcome.shown, line=line, question=case.question)
    return wrong(f"With {case.inputs(place)} the function {text}\n{case.again}", slip)


def _numbers(function: Callable[..., Any], drawn: list[dict[str, Any]]) -> list[Numbers]:
    found = []
    for arguments in drawn:
        read = read_plain(plain(function(**arguments)))
        if isinstance(read, Verdict):
            raise ValueError(read.message)
        found.append(read)
    return found


def _flat(numbers: Sequence[Numbers]) -> list[float]:
    return [number for each in numbers for number in each.flat]


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else shown(value, limit=80)
