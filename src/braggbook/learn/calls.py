"""Calling a student's function: what is asked, and what came back, as plain data that crosses processes as JSON."""

from __future__ import annotations

import inspect
import json
import linecache
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from braggbook.errors import InputError
from braggbook.learn.answers import TooManyError, kind_of, plain, shown
from braggbook.learn.base import short
from braggbook.learn.counting import OddError

Kind = Literal[
    "value", "none", "blank", "other", "raised", "signature", "holds", "broken", "time", "steps", "memory", "died",
    "large", "source", "processes",
]  # fmt: skip
_PATIENCE = 4
_MOST_NUMBERS = 100_000  # of one outcome; no exercise returns more than some thousand
LARGEST_LINE = 4_000_000  # bytes of one outcome


@dataclass(frozen=True)
class Limits:
    """What all calls of one check may take together.

    Attributes:
        seconds: Of processor time; of waiting four times that, since a machine may have much else to do.
        megabytes: Of memory beyond what is mapped when they begin.
        steps: Lines, where there are no processes.
    """

    seconds: float = 5.0
    megabytes: int = 512
    steps: int = 2_000_000

    @property
    def waiting_s(self) -> float:
        """Wall time after which a function that sleeps or waits is ended."""
        return _PATIENCE * self.seconds


@dataclass(frozen=True)
class Outcome:
    """What one call gave.

    Attributes:
        kind: ``value``; ``none``; ``blank`` (the skeleton's ``...``); ``other`` (no number); ``raised``; ``signature``
            (it takes other arguments); ``holds`` or ``broken`` (an invariant); ``time``, ``steps``, ``memory`` (a
            limit); ``died``; ``large`` (too much was returned); ``source`` (its source is not known); ``processes``
            (it starts too many).
        value: Numbers, nested as they came.
        shown: The value, or the error's message, as text.
        line: The student's line in which an error arose.
    """

    kind: Kind
    value: Any = None
    shown: str = ""
    line: str = ""


@dataclass(frozen=True)
class Work:
    """What is asked of a function: calls with keyword arguments, then invariants, each with a seed of its own."""

    calls: Sequence[Mapping[str, Any]]
    invariants: Sequence[Callable[[Callable[..., Any], random.Random], bool]] = ()
    seed: int = 0

    def __len__(self) -> int:
        return len(self.calls) + len(self.invariants)


def do(work: Work, function: Callable[..., Any], send: Callable[[Outcome], None]) -> None:
    """Does all the work, and sends each outcome as soon as it is there."""
    _within.append(True)
    try:
        _do(work, function, send)
    finally:
        _within.pop()


_within: list[bool] = []  # while a student's function is called in this process


def not_from_within() -> None:
    """Refuses a check inside of a function that is checked: it would check itself for ever, and count attempts.

    Raises:
        InputError: It is one.
    """
    if _within:
        raise InputError("a function that is checked cannot use bb.learn itself", next_command="take it out of there")


def _do(work: Work, function: Callable[..., Any], send: Callable[[Outcome], None]) -> None:
    for arguments in work.calls:
        outcome = _called(function, arguments)
        send(outcome)
        if outcome.kind not in ("value", "none", "blank"):
            return
    for place, holds in enumerate(work.invariants):
        send(_held(holds, function, random.Random(work.seed + place)))  # noqa: S311 - exercises, no secrets


def _called(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Outcome:
    if wants := _other_signature(function, arguments):
        return Outcome("signature", shown=wants)
    try:
        returned = function(**arguments)
        if returned is ...:
            return Outcome("blank")
        if returned is None:
            return Outcome("blank" if _is_blank(function) else "none")
        if _size(returned) > _MOST_NUMBERS:
            return Outcome("large")
        value = plain(returned)
        text = shown(returned, limit=80)
    except TooManyError:
        return Outcome("large")
    except OddError:
        return Outcome("other", shown=f"{kind_of(returned)}: {shown(returned, limit=80)}")
    except NotImplementedError:
        return Outcome("blank")
    except Exception as error:
        return raised(error)
    if value is None:
        return Outcome("other", shown=f"{kind_of(returned)}: {text}")
    return Outcome("value", value=value, shown=text)


def _size(returned: Any) -> int:
    size = getattr(returned, "size", None)
    if isinstance(size, int):
        return size
    return len(returned) if isinstance(returned, (list, tuple, str)) else 1


def _held(holds: Callable[..., bool], function: Callable[..., Any], generator: random.Random) -> Outcome:
    try:
        return Outcome("holds" if holds(function, generator) else "broken")
    except Exception as error:
        return replace(raised(error), kind="broken")


def raised(error: BaseException) -> Outcome:
    """Returns what is said about an error that a function raised."""
    if isinstance(error, MemoryError):
        return Outcome("memory")
    if isinstance(error, SystemExit):
        return Outcome("raised", shown="SystemExit: it ends Python, where it should return a value", line=_line(error))
    if isinstance(error, RecursionError):
        return Outcome("raised", shown="RecursionError: it calls itself, and nothing ends that", line=_line(error))
    try:
        text = short(str(error), limit=200)
    except Exception:  # an error of the student's own class
        text = ""
    return Outcome("raised", shown=f"{kind_of(error)}: {text}".removesuffix(": "), line=_line(error))


def _line(error: BaseException) -> str:
    frames: list[tuple[str, int]] = []
    trace = error.__traceback__
    while trace is not None and len(frames) < 5000:
        frames.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    own = [(file, number) for file, number in frames if _is_cell(file)]
    return short(linecache.getline(*own[-1]), limit=120) if own else ""


def _is_cell(file: str) -> bool:
    return (
        "ipykernel_" in file or file.startswith(("<ipython-input", "<exercise", "<stdin")) or "/pyodide_kernel" in file
    )


def _other_signature(function: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ""  # a function of C has none; it says itself what it wants
    try:
        signature.bind(**arguments)
    except TypeError:
        return str(signature)
    return ""


def _is_blank(function: Callable[..., Any]) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and len(code.co_code) <= len(_blank.__code__.co_code)


def _blank() -> None: ...


def as_line(outcome: Outcome) -> bytes:
    """Returns an outcome as one line of JSON; NaN and infinity are Python's own spellings."""
    line = json.dumps(asdict(outcome)).encode() + b"\n"
    return line if len(line) <= LARGEST_LINE else as_line(Outcome("large"))


def from_line(line: bytes) -> Outcome:
    """Returns the outcome that a line holds; a function may have written what is none."""
    try:
        outcome = Outcome(**json.loads(line))
    except (ValueError, TypeError, RecursionError):
        return _FORGED
    texts = isinstance(outcome.shown, str) and isinstance(outcome.line, str)
    return outcome if texts and outcome.kind in get_args(Kind) else _FORGED


_FORGED = Outcome("died", shown="it writes into files that it did not open")
