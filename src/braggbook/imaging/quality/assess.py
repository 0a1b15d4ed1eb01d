"""Runs the checks over a folder, slice by slice, and puts together what they found."""

from __future__ import annotations

import importlib.metadata
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from braggbook.errors import BraggbookError, InputError, closest
from braggbook.formats.quality import CheckRecord, FindingRecord, Quality, SeriesRecord
from braggbook.imaging.dicom.index import Index, index_dicom
from braggbook.imaging.dicom.instances import Series
from braggbook.imaging.quality.evidence import Evidence, Head, SeriesEvidence, add_object, read_head, short, slices_of
from braggbook.imaging.quality.grade import NAMES, RULE, dimensions, grade
from braggbook.imaging.quality.measurements import measurements
from braggbook.imaging.quality.registry import (
    CHECK_SET,
    VOXELS,
    Check,
    Finding,
    NotApplicable,
    NotAssessed,
    checks,
)
from braggbook.imaging.quality.validator import Validator
from braggbook.progress import Progress, Silent

USES = ("volume", "suv", "dvh", "radiomics", "phantom", "sharing")
_BY_MODALITY = {
    "CT": ("volume",), "MR": ("volume",), "PT": ("volume", "suv"), "RTDOSE": ("dvh",), "RTPLAN": ("dvh",),
}  # fmt: skip
_SHOWN = 20  # findings of one check that are kept; the count has all
_MOST = 1_000_000  # findings that are counted: an object with more of them is an attack
_LONGEST = 200


@dataclass
class _Tally:
    """What a check has found so far in one series, or in the whole."""

    applied: bool = False
    count: int = 0
    findings: list[Finding] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def take(self, check: Check, subject: Any) -> None:
        """Lets a check look at one thing."""
        try:
            for finding in islice(check.look(subject), _MOST):
                self.count += 1
                if len(self.findings) < _SHOWN:
                    self.findings.append(finding)
            self.applied = True
        except NotApplicable:
            return
        except NotAssessed as reason:
            self._skip(str(reason))
        except BraggbookError as error:
            self._skip(str(error.what))
        except MemoryError:
            raise
        except Exception as error:  # pydicom converts when it is asked, and raises whatever a wrong byte leads to
            self._skip(f"a value that cannot be read ({type(error).__name__})")

    def _skip(self, reason: str) -> None:
        if reason not in self.reasons and len(self.reasons) < _SHOWN:
            self.reasons.append(reason)


Tallies = dict[tuple[str, str], _Tally]  # check id, series UID (empty: the whole)


def assess(
    source: str | os.PathLike[str] | Index,
    *,
    use: str | Sequence[str] = "auto",
    series: str | None = None,
    pixels: bool = True,
    validator: Validator | None = None,
    progress: Progress | None = None,
) -> Quality:
    """Assesses everything in a place.

    One instance and one frame at a time is in memory, and of each frame some numbers are kept.

    Args:
        source: A folder, file, zip or DICOMDIR; or an index of one.
        use: What the images are for, one or several of :data:`USES`: more tags are needed for some. ``"auto"``: volume
            for images, and SUV for PET, DVH for radiotherapy objects.
        series: SeriesInstanceUID (or its beginning or end) of the only series to look at.
        pixels: Whether to read pixels; without them the image scores are "not assessed".
        validator: An outside validator, such as :func:`braggbook.imaging.quality.validator.dciodvfy` gives; without one
            conformance says that no other checks than ours were made.
        progress: Is told how far it is.

    Returns:
        The scores of eight dimensions, with the checks and the findings behind each, and the grade.

    Raises:
        DicomError: Nothing there is DICOM, or no series has that UID.
        InputError: An unknown use.
    """
    index = source if isinstance(source, Index) else index_dicom(source, progress=progress)
    chosen = (index.find(series),) if series else index.series
    evidence = Evidence(index.where, index, _uses(use, chosen))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom, about values that the checks name
        return _assess(evidence, chosen, pixels=pixels, validator=validator, told=progress or Silent())


def _assess(
    evidence: Evidence, chosen: Sequence[Series], *, pixels: bool, validator: Validator | None, told: Progress
) -> Quality:
    tallies: Tallies = {}
    told.start("assess", sum(len(each) for each in chosen))
    try:
        done = 0
        for one in chosen:
            evidence.series.append(_look_through(one, evidence, tallies, pixels=pixels, validator=validator))
            done += len(one)
            told.step(done, one.modality)
    finally:
        told.stop()
    for check in checks():
        if check.scope == "all" and _concerns(check, evidence.uses):
            tallies.setdefault((check.id, ""), _Tally()).take(check, evidence)
    return _report(evidence, tallies)


def _uses(use: str | Sequence[str], chosen: Iterable[Series]) -> frozenset[str]:
    if use == "auto":
        return frozenset(each for one in chosen for each in _BY_MODALITY.get(one.modality, ()))
    asked = [use] if isinstance(use, str) else list(use)
    for each in asked:
        if each not in USES:
            raise InputError(f"no such use: {each!r}", wanted=closest(each, USES), got=each)
    return frozenset(asked)


def _concerns(check: Check, uses: frozenset[str], modality: str = "") -> bool:
    if check.uses and not uses.intersection(check.uses):
        return False
    return not (check.modalities and modality and modality not in check.modalities)


def _look_through(
    series: Series, evidence: Evidence, tallies: Tallies, *, pixels: bool, validator: Validator | None
) -> SeriesEvidence:
    """Reads a series once, and lets the checks of instances and of series look at it."""
    found = SeriesEvidence(series, pixels_read=pixels and series.modality in VOXELS)
    own = [each for each in checks() if _concerns(each, evidence.uses, series.modality)]
    for instance in series:
        try:
            head = read_head(instance, root=evidence.root, uses=evidence.uses)
        except BraggbookError as error:
            found.unreadable.append((short(str(instance.source), evidence.root), error))
            continue
        for check in own:
            if check.scope == "instance":
                tallies.setdefault((check.id, series.uid), _Tally()).take(check, head)
        _validate(head, validator, tallies)
        _take_in(head, found, evidence)
    for check in own:
        if check.scope == "series":
            tallies.setdefault((check.id, series.uid), _Tally()).take(check, found)
    return found


def _take_in(head: Head, found: SeriesEvidence, evidence: Evidence) -> None:
    if head.instance.frames:
        for each in slices_of(head, frames=found.series.frames, pixels=found.pixels_read):
            if isinstance(each, tuple):
                found.unreadable.append(each)
            else:
                found.slices.append(each)
    try:
        add_object(evidence, head)
    except BraggbookError as error:
        found.unreadable.append((head.where, error))
    except MemoryError:
        raise
    except Exception as error:  # as above
        found.unreadable.append((head.where, InputError(f"a value that cannot be read ({type(error).__name__})")))


def _validate(head: Head, validator: Validator | None, tallies: Tallies) -> None:
    check = next(each for each in checks() if each.id == "conformance.validator")
    tally = tallies.setdefault((check.id, head.instance.series_uid), _Tally())
    tally.take(check, (head, validator))


def _report(evidence: Evidence, tallies: Tallies) -> Quality:
    made = [record for check in checks() if (record := _record(check, tallies))]
    found = dimensions(made)
    letter, reason = grade(found)
    return Quality(
        check_set=CHECK_SET,
        braggbook=importlib.metadata.version("braggbook"),
        where=os.path.basename(evidence.root.rstrip("/\\")) or evidence.root,  # noqa: PTH119 - may be an address
        uses=sorted(evidence.uses),
        grade=letter,
        grade_name=NAMES[letter],
        grade_reason=reason,
        rule=RULE,
        dimensions=found,
        checks=made,
        series=[_series(each, tallies) for each in evidence.series],
        measurements=measurements(evidence.series),
    )


def _record(check: Check, tallies: Tallies) -> CheckRecord | None:
    own = [(uid, tally) for (name, uid), tally in tallies.items() if name == check.id]
    applied = [(uid, tally) for uid, tally in own if tally.applied or tally.count]
    reasons = list(dict.fromkeys(reason for _, tally in own for reason in tally.reasons))
    if not applied and not reasons:
        return None
    failed = [(uid, tally) for uid, tally in applied if tally.count]
    status = "failed" if failed else "passed" if applied else "not assessed"
    findings = [finding for _, tally in failed for finding in tally.findings][:_SHOWN]
    return CheckRecord(
        id=check.id,
        dimension=check.dimension,
        title=check.title,
        blocking=check.blocking,
        source=check.source,
        status=status,
        reason="; ".join(reasons),
        applied=len(applied),
        failed=len(failed),
        series=[uid for uid, _ in failed if uid],
        count=sum(tally.count for _, tally in failed),
        findings=[_finding(each) for each in findings],
    )


def _finding(finding: Finding) -> FindingRecord:
    cut = {name: str(getattr(finding, name))[:_LONGEST] for name in ("where", "tag", "wanted", "found")}
    return FindingRecord(**cut)


def _series(evidence: SeriesEvidence, tallies: Tallies) -> SeriesRecord:
    passed: dict[Any, tuple[int, int]] = {}
    for check in checks():
        tally = tallies.get((check.id, evidence.series.uid))
        if tally and (tally.applied or tally.count):
            good, every = passed.get(check.dimension, (0, 0))
            passed[check.dimension] = (good + (not tally.count), every + 1)
    return SeriesRecord(
        uid=evidence.series.uid, modality=evidence.modality, instances=len(evidence.series), passed=passed
    )
