"""What kind of LET a number is: without averaging, particles and medium an LET is ambiguous.

Two legal definitions can differ by a fifth at one point of one beam (dose-averaged over primary protons in
water, or over all protons in tissue), which moves an RBE as much as the choice of a model does.
"""

from __future__ import annotations

from dataclasses import dataclass

from braggbook.errors import Issue, ScienceError, closest

NOT_STATED = "not stated"
AVERAGES = ("dose-averaged", "track-averaged", NOT_STATED)


@dataclass(frozen=True)
class LetKind:
    """How an LET was averaged, over which particles and in what medium.

    Attributes:
        average: "dose-averaged", "track-averaged" or "not stated".
        particles: For example "primary protons", "all protons", "all charged particles", or "not stated".
        medium: For example "water, unit density", or "not stated".
    """

    average: str
    particles: str = NOT_STATED
    medium: str = NOT_STATED

    def __post_init__(self) -> None:
        """Raises ScienceError, with every issue, when a part is empty or the average is not known."""
        issues = [
            Issue("empty", where=name, wanted=f"a text, or {NOT_STATED!r}")
            for name in ("particles", "medium")
            if not str(getattr(self, name)).strip()
        ]
        if self.average not in AVERAGES:
            issues.append(
                Issue(
                    "not a kind of average",
                    where="average",
                    wanted=closest(self.average, AVERAGES),
                    got=repr(self.average),
                )
            )
        if issues:
            raise ScienceError("not a kind of LET", issues=issues)

    def __str__(self) -> str:
        """Returns the kind in one line."""
        return f"{self.average} LET, particles: {self.particles}, medium: {self.medium}"
