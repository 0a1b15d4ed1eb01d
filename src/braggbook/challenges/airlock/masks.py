"""Masks from a stranger: one per case, on the grid of the case's image, with declared labels and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from braggbook.challenges.airlock.echoes import ECHO, Marks, Watch
from braggbook.challenges.airlock.names import MASK_SUFFIX
from braggbook.challenges.airlock.nifti import (
    HEADER_BYTES,
    Header,
    NiftiProblem,
    Unpacked,
    apart_mm,
    mask_bytes,
    parse_header,
)
from braggbook.challenges.airlock.outgoing import open_regular
from braggbook.datasets.catalogue import Dataset
from braggbook.errors import DatasetError, Issue
from braggbook.formats.challenge import SubmissionRules

GRID_MM = 1e-3  # how far a voxel may lie from the image's: far below a voxel, above what single precision loses
_BLOCK_VOXELS = 1 << 20
Labels = npt.NDArray[Any]  # uint8, or uint16 where a label needs it


@dataclass(frozen=True)
class Mask:
    """A mask that was read: packed anew, or what is wrong with it."""

    data: bytes
    issues: tuple[Issue, ...]


def image_header(inputs: Dataset, case: str) -> Header:
    """Reads where the voxels of a case's image are.

    Raises:
        DatasetError: The inputs have no such image, or it cannot be read: the organiser's fault.
    """
    path = inputs.folder / f"{case}{MASK_SUFFIX}"
    where = f"{inputs.reference}: {path.name}"
    try:
        with path.open("rb") as stream:
            return parse_header(Unpacked(stream).read(HEADER_BYTES))
    except OSError as error:
        raise DatasetError("no image of a case", where=where, got=error.strerror or str(error)) from None
    except NiftiProblem as problem:
        raise DatasetError("the image of a case cannot be read", where=where, got=str(problem)) from None


def read_mask(path: Path, image: Header, *, name: str, rules: SubmissionRules, marks: Marks) -> Mask:
    """Reads a mask, and packs its labels anew on the grid of its case's image.

    Args:
        path: The file.
        image: Header of the case's image.
        name: Of the file, for messages: one that the design gives it.
        rules: Of the challenge.
        marks: What must not be in it.
    """
    watches = marks.watch(), marks.watch()  # over the file as it lies there, and over what comes out of it
    try:
        labels = _labels(path, image, rules=rules, watches=watches)
        issues: tuple[Issue, ...] = ()
    except NiftiProblem as problem:
        labels, issues = None, (Issue(str(problem), name),)
    except OSError as error:
        labels, issues = None, (Issue("it cannot be read", name, got=error.strerror or ""),)
    if any(watch.found for watch in watches):
        issues = (Issue(ECHO, name, "labels, and nothing else"),)
    if labels is None or issues:
        return Mask(b"", issues)
    return Mask(mask_bytes(labels, image.places), ())


def _labels(path: Path, image: Header, *, rules: SubmissionRules, watches: tuple[Watch, Watch]) -> Labels:
    """Returns the labels (x, y, z) of a file, in the file's order."""
    known = [0, *map(int, rules.labels)]
    with open_regular(path) as stream:
        unpacked = Unpacked(stream, watch=watches[0].feed)
        head = unpacked.read(HEADER_BYTES)
        watches[1].feed(head)
        header = parse_header(head)
        _check_grid(header, image)
        flat: npt.NDArray[Any] = np.empty(math.prod(image.shape), np.uint8 if max(known) < 256 else np.uint16)
        start = 0
        for block in _blocks(unpacked, header, head=head, watch=watches[1]):
            flat[start : start + len(block)] = _checked(block, known)
            start += len(block)
        unpacked.finish()
    labels: Labels = flat.reshape(image.shape, order="F")
    return labels


def _check_grid(header: Header, image: Header) -> None:
    if header.shape != image.shape:
        raise NiftiProblem("it has another shape than the image of its case; write it on the image's own grid")
    if apart_mm(header.affine, image.affine, shape=image.shape) > GRID_MM:
        raise NiftiProblem("its voxels lie elsewhere than the image's (affine); copy the image's affine")
    if header.scaled:
        raise NiftiProblem("its values are scaled; write labels as they are, scl_slope = 1 and scl_inter = 0")


def _blocks(unpacked: Unpacked, header: Header, *, head: bytes, watch: Watch) -> Iterator[npt.NDArray[Any]]:
    """Yields the voxels in pieces; what lies between header and voxels is looked at and left out."""
    between = unpacked.read(max(0, header.offset - len(head)))
    watch.feed(between)
    rest, left = head[header.offset :], math.prod(header.shape)
    while left:
        count = min(left, _BLOCK_VOXELS)
        more = unpacked.read(count * header.dtype.itemsize - len(rest))
        watch.feed(more)
        data, rest = rest + more, b""
        if len(data) != count * header.dtype.itemsize:
            raise NiftiProblem("fewer voxels than the header announces; hand it in again, whole")
        yield np.frombuffer(data, header.dtype)
        left -= count


def _checked(block: npt.NDArray[Any], known: list[int]) -> npt.NDArray[Any]:
    """Returns voxels that are all declared labels."""
    if block.dtype.kind == "f" and not np.isfinite(block).all():
        raise NiftiProblem("voxels that are NaN or infinite; write labels as whole numbers")
    largest = max(known)
    undeclared = NiftiProblem(f"a label that the design does not declare; only {', '.join(map(str, sorted(known)))}")
    if not ((block >= 0) & (block <= largest)).all():
        raise undeclared
    labels = block.astype(np.uint16)
    if block.dtype.kind == "f" and not (labels == block).all():
        raise NiftiProblem("voxels that are no whole numbers; write labels, not probabilities")
    allowed = np.zeros(largest + 1, dtype=bool)
    allowed[known] = True
    if not allowed[labels].all():
        raise undeclared
    return labels
