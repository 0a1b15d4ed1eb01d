"""Completeness: is everything there that the stated use needs?

Which tag is needed for what, and why, is in ``data/needed_tags.csv``: every line is a check.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from importlib import resources
from itertools import pairwise

from braggbook.imaging.dicom.images import tag_name
from braggbook.imaging.quality.evidence import Evidence, Head, SeriesEvidence, value_of
from braggbook.imaging.quality.registry import PLACED, Check, Finding, NotApplicable, add, check

_BLOCKING = {"volume", "suv", "dvh"}  # without these tags the number that is wanted cannot be computed at all


def _needs(path: str, use: str) -> Callable[[Head], Iterable[Finding]]:
    def look(head: Head) -> Iterable[Finding]:
        if path.startswith("Radio") and _is_suv(head) and use == "suv":
            raise NotApplicable
        if value_of(head.dataset, path) is None:
            wanted = "a value" if use == "any" else f"a value, for {use}"
            yield Finding(head.where, wanted, "none", " > ".join(tag_name(each) for each in path.split("/")))

    return look


def _is_suv(head: Head) -> bool:
    """Whether values are SUV already: what they were computed from is then not needed for them."""
    return bool(value_of(head.dataset, "Units") == "GML")


def _register() -> None:
    text = resources.files("braggbook.imaging.quality").joinpath("data", "needed_tags.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        use, path = row["use"], row["path"]
        keyword = path.rsplit("/", maxsplit=1)[-1]
        add(
            Check(
                id=f"completeness.{use}.{keyword}",
                dimension="completeness",
                title=f"{keyword} has a value" + ("" if use == "any" else f" (needed for {use})"),
                scope="instance",
                source=row["reason"],
                look=_needs(path, use),
                modalities=tuple(row["modality"].split()),
                blocking=use in _BLOCKING,
                uses=() if use == "any" else (use,),
            )
        )


_register()


@check(
    "completeness.instance_numbers",
    "No number is missing in the sequence of instances",
    dimension="completeness",
    scope="series",
    modalities=PLACED,
    source="DICOM PS3.3 C.7.6.1: InstanceNumber; a hole in it means that an image was not sent",
)
def _check_instance_numbers(series: SeriesEvidence) -> Iterable[Finding]:
    numbers = {int(each.tags["InstanceNumber"]) for each in series.series if "InstanceNumber" in each.tags}
    if len(numbers) < 2:
        raise NotApplicable
    ordered = sorted(numbers)
    steps = {b - a for a, b in pairwise(ordered)}
    step = min(steps)  # some scanners count in twos
    for a, b in pairwise(ordered):
        if b - a > step:
            yield Finding(f"after {a}", f"{a + step}", f"{b}", tag_name("InstanceNumber"))


@check(
    "completeness.slice_count",
    "There are as many slices as the header says",
    dimension="completeness",
    scope="series",
    modalities=("PT",),
    source="DICOM PS3.3 C.8.9.1: NumberOfSlices",
)
def _check_slice_count(series: SeriesEvidence) -> Iterable[Finding]:
    wanted = next((each.tags["NumberOfSlices"] for each in series.slices if each.tags.get("NumberOfSlices")), None)
    if wanted is None or not series.placed:
        raise NotApplicable
    found = len({round(series.along(each), 2) for each in series.placed})
    if found < int(wanted):
        where = f"{series.modality} series {series.series.uid}"
        yield Finding(where, str(wanted), str(found), tag_name("NumberOfSlices"))


@check(
    "completeness.dvh.objects",
    "Images, structures and dose are all here",
    dimension="completeness",
    scope="all",
    uses=("dvh",),
    source="a DVH takes a dose grid and the outlines of structures",
)
def _check_dvh_objects(evidence: Evidence) -> Iterable[Finding]:
    for name, kinds in (("structures", ("RTSTRUCT", "SEG")), ("dose", ("RTDOSE",)), ("images", ("CT", "MR", "PT"))):
        if not evidence.of(*kinds):
            yield Finding(evidence.root, f"{name}: {' or '.join(kinds)}", "none")
