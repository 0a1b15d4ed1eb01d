"""From checks to scores and from scores to a grade, by a rule that fits in four lines."""

from __future__ import annotations

from collections.abc import Sequence

from braggbook.formats.quality import DIMENSIONS, CheckRecord, DimensionRecord, Grade

# Three levels suffice to sort a pile: nothing found, a flaw in ten, a flaw in four; they are a convention of ours
_GOOD, _FAIR = 0.9, 0.75
_NAMED = 5  # blocking checks in a sentence; each dimension lists all of its own
NAMES: dict[Grade, str] = {"A": "clean", "B": "good", "C": "fair", "D": "poor", "E": "blocked"}
RULE = (
    "E (blocked): a blocking check failed. Otherwise by the lowest score of an assessed dimension: A (clean) 1, "
    "B (good) at least 0.9, C (fair) at least 0.75, D (poor) below. A dimension that was not assessed counts neither "
    "for nor against, and is named with the grade."
)
_NOTHING = {
    "labels": "no structure set or segmentation here",
    "image": "no pixels were read",
    "geometry": "nothing here has a place in the patient",
}


def dimension(name: str, checks: Sequence[CheckRecord]) -> DimensionRecord:
    """Returns the score of one dimension: checks passed of checks assessed."""
    own = [each for each in checks if each.dimension == name]
    passed = sum(each.status == "passed" for each in own)
    failed = [each for each in own if each.status == "failed"]
    skipped = [each for each in own if each.status == "not assessed"]
    applicable = passed + len(failed)
    reasons = list(dict.fromkeys(each.reason for each in skipped))
    reason = "" if applicable else "; ".join(reasons) or _NOTHING.get(name, "no check of it applies to what is here")
    return DimensionRecord(
        name=name,
        passed=passed,
        applicable=applicable,
        not_assessed=len(skipped),
        score=passed / applicable if applicable else None,
        blocking=[each.id for each in failed if each.blocking],
        reason=reason,
    )


def dimensions(checks: Sequence[CheckRecord]) -> list[DimensionRecord]:
    """Returns all scores, in their order."""
    return [dimension(name, checks) for name in DIMENSIONS]


def grade(found: Sequence[DimensionRecord]) -> tuple[Grade, str]:
    """Returns the grade and why it is this one."""
    missing = [each.name for each in found if each.score is None]
    note = f"; not assessed: {', '.join(missing)}" if missing else ""
    if blocking := [name for each in found for name in each.blocking]:
        more = f" and {len(blocking) - _NAMED} more" if len(blocking) > _NAMED else ""
        return "E", f"blocking: {', '.join(blocking[:_NAMED])}{more}{note}"
    scored = [(each.score, each) for each in found if each.score is not None]
    if not scored:
        return "E", "nothing could be assessed"
    score, worst = min(scored, key=lambda pair: pair[0])
    letter: Grade = "A" if score == 1 else "B" if score >= _GOOD else "C" if score >= _FAIR else "D"
    lowest = "nothing failed" if score == 1 else f"lowest is {worst.name}, {worst.passed} of {worst.applicable}"
    return letter, f"no blocking finding; {lowest}{note}"
